import { type Consumer, consumers } from "../graph.ts";
import type { Graph, Node } from "../model.ts";
import type { Tensor } from "../tensor.ts";

/** A graph while it is folded: nodes and weights change in place, names of its outputs do not. */
export interface FoldGraph {
  readonly source: Graph;
  readonly outer: FoldGraph | undefined;
  /** Names of weights that inner graphs made of this graph's, by what makes them. */
  readonly made: Map<string, string>;
  nodes: Node[];
  readonly weights: Map<string, Tensor>;
  /** Names that callers see: graph outputs. */
  readonly outputs: ReadonlySet<string>;
  /** The constant of that name, of this graph or one around it, that no caller can replace. */
  constant(name: string): Tensor | undefined;
  /** A name that nothing else has. */
  fresh(hint: string): string;
}

/** Uses of each value, with those by the graph's own outputs not counted. */
export const usesIn = (graph: FoldGraph): Map<string, Consumer[]> => consumers({ ...graph.source, nodes: graph.nodes });

/** Writes a constant: under its old name when only one node reads that, else under a new one. Returns the name. */
export const putWeight = (
  graph: FoldGraph,
  uses: ReadonlyMap<string, readonly Consumer[]>,
  old: string,
  hint: string,
  value: Tensor,
): string => {
  const own = old !== "" && graph.weights.has(old) && uses.get(old)?.length === 1 && !graph.outputs.has(old);
  const name = own ? old : graph.fresh(hint);
  graph.weights.set(name, value);
  return name;
};

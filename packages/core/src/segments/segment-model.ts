import { mainScope, readsOf } from "../graph.ts";
import type { Model, ValueInfo } from "../model.ts";
import type { DataType } from "../tensor.ts";
import { valueTypes } from "../upgrade/value-types.ts";
import type { Segment } from "./segments.ts";

export interface SegmentModelOptions {
  /** Element types of inner values where the model does not tell them, such as those of tensors that were run. */
  readonly types?: ReadonlyMap<string, DataType>;
}

/** The first IR version whose weights need not be inputs of the graph. */
const WEIGHTS_APART = 4;

/**
 * A segment as a model of its own, which any runtime runs; weights are shared with `model` and stay lazy.
 *
 * Inputs of the whole model are declared as there. Inner values that become inputs are declared with their element
 * type and rank, without lengths; where the model does not tell the element type and `types` neither, with float32.
 */
export const segmentModel = (model: Model, segment: Segment, { types }: SegmentModelOptions = {}): Model => {
  const { graph } = model;
  const scope = mainScope(model);
  const known = valueTypes();
  const declared = new Map(
    [...graph.values, ...graph.outputs, ...graph.inputs].map((info): [string, ValueInfo] => [info.name, info]),
  );
  const given = new Set(graph.inputs.map(({ name }) => name));
  const input = (name: string): ValueInfo => {
    const info = declared.get(name);
    if (info && (given.has(name) || (info.type && info.type.kind !== "tensor"))) return info;
    const rank = known.rank(scope, name);
    const type = known.elementType(scope, name) ?? types?.get(name) ?? "float32";
    const shape = rank === undefined ? {} : { shape: new Array<null>(rank).fill(null) };
    return { name, type: { kind: "tensor", type, ...shape } };
  };
  const read = new Set([...segment.nodes.flatMap((node) => [...readsOf(node)]), ...segment.outputs]);
  const made = new Set(segment.nodes.flatMap(({ outputs }) => outputs));
  const ends = new Set(segment.outputs);
  return {
    ...model,
    irVersion: Math.max(model.irVersion, WEIGHTS_APART),
    graph: {
      ...graph,
      nodes: segment.nodes,
      inputs: segment.inputs.map(input),
      outputs: segment.outputs.map((name) => declared.get(name) ?? { name }),
      values: graph.values.filter(({ name }) => made.has(name) && !ends.has(name)),
      weights: new Map([...graph.weights].filter(([name]) => read.has(name))),
      sparseWeights: graph.sparseWeights.filter(({ name }) => read.has(name)),
    },
  };
};

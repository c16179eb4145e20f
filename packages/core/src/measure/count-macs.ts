import { checkAborted } from "../abort.ts";
import { labelOf } from "../graph.ts";
import type { Model } from "../model.ts";
import type { Feeds } from "../pass.ts";
import type { Ort } from "../run/ort.ts";
import { openSession } from "../run/session.ts";
import type { Tensor } from "../tensor.ts";
import { type Exposed, exposeShapes, MOST_AXES, NOT_RUN } from "./macs/expose-shapes.ts";
import { macRule, type NodeDims } from "./macs/mac-rules.ts";
import { numbersOf } from "./numbers.ts";

export interface CountMacsOptions {
  readonly ort: Ort;
  /** One sample: lengths that the file leaves open are those of it. */
  readonly feeds: Feeds;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

export interface LayerMacs {
  /** The node's name, else its first output. */
  readonly name: string;
  readonly macs: number;
}

export interface Macs {
  readonly total: number;
  /** Nodes that have any, in the order of the graph, subgraphs where they stand. */
  readonly layers: readonly LayerMacs[];
}

/** Dims in each execution, or one for all where they are known; undefined where it did not run. */
type Rows = readonly (readonly number[] | undefined)[];

const rowsOf = (t: Tensor): Rows => {
  const values = Array.from(numbersOf(t));
  return Array.from({ length: values.length / MOST_AXES }, (_, i) => {
    const row = values.slice(i * MOST_AXES, (i + 1) * MOST_AXES);
    return row[0] === NOT_RUN ? undefined : row.filter((dim) => dim >= 0);
  });
};

/** Dims of the values of a node, execution by execution. */
const executions = ({ inputs, outputs }: Exposed, found: ReadonlyMap<string, Rows>): NodeDims[] => {
  const rows = [...inputs, ...outputs].map((dims): Rows => (typeof dims === "string" ? found.get(dims)! : [dims]));
  const count = Math.max(...rows.map((each) => each.length), 0);
  // what stands still in a loop is told once
  const at = (i: number) => rows.map((each) => (each.length === 1 ? each[0] : each[i]));
  return Array.from({ length: count }, (_, i) => at(i))
    .filter((dims) => dims.every((each) => each !== undefined))
    .map((dims) => ({ inputs: dims.slice(0, inputs.length), outputs: dims.slice(inputs.length) }) as NodeDims);
};

/**
 * Multiply-accumulates of a model on a sample: of matrix products, convolutions, recurrent layers, attention (products of
 * activations too) and `Einsum`, stored as floats or compressed, so that both count the same. Shapes are learnt by
 * running; of subgraphs, the branch that ran and every iteration count. Additions of biases, norms and other work on
 * single elements are not counted, nor are the bodies of model-local functions.
 *
 * @throws EspalierError `BAD_DATA`, `RUNTIME`, `ABORTED`
 */
export const countMacs = async (model: Model, { ort, feeds, threads, signal }: CountMacsOptions): Promise<Macs> => {
  checkAborted("core/measure", signal);
  const { model: shaped, exposed } = exposeShapes(model, (node) => macRule(node) !== undefined);
  if (exposed.length === 0) return { total: 0, layers: [] };
  const session = await openSession(ort, shaped, { ...(threads !== undefined && { threads }) });
  try {
    const found = new Map(Object.entries(await session.run(feeds)).map(([name, t]) => [name, rowsOf(t)]));
    const layers = exposed
      .map((each) => ({
        name: labelOf(each.node),
        macs: executions(each, found).reduce((sum, dims) => sum + macRule(each.node)!(each.node, dims), 0),
      }))
      .filter(({ macs }) => macs > 0);
    return { total: layers.reduce((sum, { macs }) => sum + macs, 0), layers };
  } finally {
    await session.release();
  }
};

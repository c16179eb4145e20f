import { checkAborted } from "../abort.ts";
import { makeNode } from "../attrs.ts";
import { EspalierError } from "../errors.ts";
import { allNames, uniqueName } from "../graph.ts";
import type { Model } from "../model.ts";
import type { Calibration, Feeds } from "../pass.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import type { Ort } from "./ort.ts";
import { openSession } from "./session.ts";

/** Bytes of inner values that are held at a time, where nothing else is said. */
export const USUAL_MEMORY = 64e6;
/** What an element is taken to be: nearly all values are float32, or fewer and smaller. */
const ELEMENT_BYTES = 4;

export interface GroupOptions {
  /** Bytes that the values of a group may take together, at 4 an element; a larger value is a group of its own. */
  readonly memory?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** The first sample. @throws EspalierError `BAD_DATA` where there is none */
export const firstOf = async (calibration: Calibration): Promise<Feeds> => {
  for await (const feeds of calibration()) return feeds;
  throw new EspalierError(
    "BAD_DATA",
    "core/run",
    "the calibration data has no samples. Give at least one, each time it is called.",
  );
};

/** A model that gives the dims of values instead of its outputs, and the output for each. */
const shapesOnly = (model: Model, names: readonly string[]) => {
  const taken = allNames(model);
  const shapes = new Map(names.map((name) => [name, uniqueName("dims", taken)]));
  const nodes = [...shapes].map(([name, shape]) => makeNode("Shape", [name], [shape]));
  const outputs = [...shapes.values()].map((name) => ({ name, type: { kind: "tensor", type: "int64" } as const }));
  return { shapes, model: { ...model, graph: { ...model.graph, nodes: [...model.graph.nodes, ...nodes], outputs } } };
};

/** Elements of values of the main graph on one sample, learnt in one run that holds none of them longer than it must. */
const elementsOf = async (
  ort: Ort,
  model: Model,
  names: readonly string[],
  feeds: Feeds,
  { threads, signal }: GroupOptions,
): Promise<Map<string, number>> => {
  checkAborted("core/run", signal);
  const { shapes, model: shaped } = shapesOnly(model, names);
  const session = await openSession(ort, shaped, { ...(threads !== undefined && { threads }) });
  try {
    const found = await session.run(feeds);
    const dims = ({ data }: Tensor) => Array.from(data as BigInt64Array, Number);
    return new Map([...shapes].map(([name, shape]) => [name, sizeOf(dims(found[shape]))]));
  } finally {
    await session.release();
  }
};

/**
 * Values of the main graph in groups that are fetched together, in the order of `names`: those of a group fit `memory`
 * on the sample `first`, which is run to learn their sizes.
 *
 * @throws EspalierError `RUNTIME`, `BAD_DATA`, `ABORTED`
 */
export const groupValues = async (
  ort: Ort,
  model: Model,
  names: readonly string[],
  first: Feeds,
  options: GroupOptions = {},
): Promise<string[][]> => {
  if (names.length === 0) return [];
  const { memory = USUAL_MEMORY } = options;
  const groups: string[][] = [];
  let left = 0;
  for (const [name, elements] of await elementsOf(ort, model, names, first, options)) {
    const bytes = elements * ELEMENT_BYTES;
    if (groups.length === 0 || bytes > left) {
      groups.push([]);
      left = memory;
    }
    groups[groups.length - 1].push(name);
    left -= bytes;
  }
  return groups;
};

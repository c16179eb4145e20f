import { checkAborted } from "../abort.ts";
import { EspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import type { Calibration, Feeds } from "../pass.ts";
import { byteLengthOf, type DataType } from "../tensor.ts";
import type { Ort } from "./ort.ts";
import { openSession } from "./session.ts";

/** Bytes of inner values that are held at a time, where nothing else is said. */
export const USUAL_MEMORY = 64e6;
/** Values that are fetched together while their sizes are not known. */
const PROBED_TOGETHER = 32;

export interface GroupOptions {
  /** Bytes that the values of a group may take together; a larger value is a group of its own. */
  readonly memory?: number;
  /** Leaves out values of other element types. */
  readonly wanted?: (type: DataType) => boolean;
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

const chunks = (names: readonly string[], size: number): string[][] =>
  Array.from({ length: Math.ceil(names.length / size) }, (_, i) => names.slice(i * size, (i + 1) * size));

/** Greedy: names in order, a new group where the next would pass `memory`. */
const groupsOf = (sizes: ReadonlyMap<string, number>, memory: number): string[][] => {
  const groups: string[][] = [];
  let left = 0;
  for (const [name, size] of sizes) {
    if (groups.length === 0 || size > left) {
      groups.push([]);
      left = memory;
    }
    groups[groups.length - 1].push(name);
    left -= size;
  }
  return groups;
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
  { memory = USUAL_MEMORY, wanted = () => true, threads, signal }: GroupOptions = {},
): Promise<string[][]> => {
  const sizes = new Map<string, number>();
  for (const fetch of chunks(names, PROBED_TOGETHER)) {
    checkAborted("core/run", signal);
    const session = await openSession(ort, model, { fetch, ...(threads !== undefined && { threads }) });
    try {
      for (const [name, { type, dims }] of Object.entries(await session.run(first, fetch)))
        if (wanted(type)) sizes.set(name, byteLengthOf(type, dims));
    } finally {
      await session.release();
    }
  }
  return groupsOf(sizes, memory);
};

import { checkAborted } from "../abort.ts";
import { EspalierError } from "../errors.ts";
import { layers } from "../layers/find-layers.ts";
import type { Layer } from "../layers.ts";
import type { Model } from "../model.ts";
import type { Calibration, Context, Observer } from "../pass.ts";
import { byteLengthOf, type Tensor } from "../tensor.ts";
import { openSession } from "./session.ts";

/** One fold: the value it watches, and what a tensor of that value does to its statistics. */
interface Fold {
  readonly value: string;
  update(x: Tensor): void;
}

export interface ObserveOptions {
  /** Bytes of inner values that may be held at a time, beside what the model itself needs to run. */
  readonly memory?: number;
}

const USUAL_MEMORY = 64e6;
/** Values that are fetched together while their sizes are not known. */
const PROBED_TOGETHER = 32;

const needs = (what: "calibration" | "ort", give: string) =>
  new EspalierError("MISSING_NEED", "core/run", `statistics need ${what}, and the context has none. Give ${give}.`);

/** Folds by the statistics they belong to; `stats` is filled at once and changes as data streams through. */
const foldsOf = async <Stats>(model: Model, observer: Observer<Stats>, stats: Map<string, Stats>): Promise<Fold[]> => {
  const fold = (key: string, value: string, update: (s: Stats, x: Tensor) => Stats | undefined | void): Fold => ({
    value,
    update(x) {
      const next = update(stats.get(key) as Stats, x);
      if (next !== undefined) stats.set(key, next as Stats);
    },
  });
  if ("values" in observer) {
    const names = [...new Set(await observer.values(model))];
    for (const name of names) stats.set(name, observer.init(name));
    return names.map((name) => fold(name, name, (s, x) => observer.update(s, x, name)));
  }
  const folds: Fold[] = [];
  for (const layer of layers(model)) {
    const inputs = inputsOf(layer);
    const empty = inputs.length > 0 ? observer.init(layer) : undefined;
    if (empty === undefined) continue;
    stats.set(layer.name, empty);
    for (const value of inputs) folds.push(fold(layer.name, value, (s, x) => observer.update(s, x, layer)));
  }
  return folds;
};

/** Inputs of a layer that can be fetched: those of its uses in the main graph. */
const inputsOf = ({ uses }: Layer): string[] => [
  ...new Set(uses.filter(({ path, input }) => path.length === 0 && input !== "").map(({ input }) => input)),
];

/** Greedy: names in order, a new group where the next would pass `memory`. */
const groupsOf = (names: readonly string[], bytes: ReadonlyMap<string, number>, memory: number): string[][] => {
  const groups: string[][] = [];
  let left = 0;
  for (const name of names) {
    const size = bytes.get(name) ?? 0;
    if (groups.length === 0 || size > left) {
      groups.push([]);
      left = memory;
    }
    groups[groups.length - 1].push(name);
    left -= size;
  }
  return groups;
};

const chunks = (names: readonly string[], size: number): string[][] =>
  Array.from({ length: Math.ceil(names.length / size) }, (_, i) => names.slice(i * size, (i + 1) * size));

const empty = () =>
  new EspalierError(
    "BAD_DATA",
    "core/run",
    "the calibration data has no samples. Give at least one, each time it is called.",
  );

const firstOf = async (calibration: Calibration) => {
  for await (const feeds of calibration()) return feeds;
  throw empty();
};

/**
 * Statistics of a pass, by layer or value name: calibration data streams through the model, and each watched value is
 * folded in and forgotten. Values are watched in groups that fit `memory`, a run over the data for each group, so that
 * the memory needed does not grow with the number of samples, nor with the number of watched values.
 *
 * Layers inside subgraphs are not observed: their values exist only while their branch runs.
 *
 * @throws EspalierError `MISSING_NEED`, `BAD_DATA`, `RUNTIME`, `ABORTED`
 */
export const observe = async <Stats>(
  model: Model,
  observer: Observer<Stats>,
  {
    calibration,
    ort,
    threads,
    signal,
    progress,
  }: Pick<Context, "calibration" | "ort" | "threads" | "signal" | "progress">,
  { memory = USUAL_MEMORY }: ObserveOptions = {},
): Promise<Map<string, Stats>> => {
  if (!calibration) throw needs("calibration", "calibration: () => an async iterable of feeds");
  if (!ort) throw needs("ort", "ort: onnxruntime-node or onnxruntime-web");
  const stats = new Map<string, Stats>();
  const folds = await foldsOf(model, observer, stats);
  const names = [...new Set(folds.map(({ value }) => value))];
  if (names.length === 0) return stats;
  const open = (fetch: readonly string[]) =>
    openSession(ort, model, { fetch, ...(threads !== undefined && { threads }) });
  const task = "calibrate";

  const sizes = new Map<string, number>();
  const first = await firstOf(calibration);
  for (const some of chunks(names, PROBED_TOGETHER)) {
    checkAborted("core/run", signal);
    const session = await open(some);
    try {
      for (const [name, { type, dims }] of Object.entries(await session.run(first, some)))
        sizes.set(name, byteLengthOf(type, dims));
    } finally {
      await session.release();
    }
  }

  const groups = groupsOf(names, sizes, memory);
  let done = 0;
  let total: number | undefined;
  progress({ kind: "start", task });
  for (const group of groups) {
    const wanted = folds.filter(({ value }) => group.includes(value));
    const session = await open(group);
    try {
      for await (const feeds of calibration()) {
        checkAborted("core/run", signal);
        const values = await session.run(feeds, group);
        for (const { value, update } of wanted) update(values[value]);
        progress({ kind: "step", task, done: ++done, ...(total !== undefined && { total }) });
      }
    } finally {
      await session.release();
    }
    total ??= done * groups.length;
  }
  progress({ kind: "end", task });
  return stats;
};

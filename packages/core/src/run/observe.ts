import { checkAborted } from "../abort.ts";
import { EspalierError } from "../errors.ts";
import { layers } from "../layers/find-layers.ts";
import type { Layer } from "../layers.ts";
import type { Model } from "../model.ts";
import type { Context, Observer } from "../pass.ts";
import type { PassKernels } from "../pass-kernels.ts";
import type { Tensor } from "../tensor.ts";
import { dataHash, modelHash } from "./content-hash.ts";
import { openSession } from "./session.ts";
import { decodeStats, encodeStats } from "./stats-bytes.ts";
import { firstOf, groupValues, USUAL_MEMORY } from "./value-groups.ts";

/** One fold: the value it watches, and what a tensor of that value does to its statistics. */
interface Fold {
  readonly value: string;
  update(x: Tensor): void;
}

export interface ObserveOptions {
  /** Bytes of inner values that may be held at a time, beside what the model itself needs to run. */
  readonly memory?: number;
}

const needs = (what: "calibration" | "ort", give: string) =>
  new EspalierError("MISSING_NEED", "core/run", `statistics need ${what}, and the context has none. Give ${give}.`);

/** Folds by the statistics they belong to; `stats` is filled at once and changes as data streams through. */
const foldsOf = async <Stats>(
  model: Model,
  observer: Observer<Stats>,
  stats: Map<string, Stats>,
  kernels?: PassKernels,
): Promise<Fold[]> => {
  const fold = (key: string, value: string, update: (s: Stats, x: Tensor) => Stats | undefined | void): Fold => ({
    value,
    update(x) {
      const next = update(stats.get(key) as Stats, x);
      if (next !== undefined) stats.set(key, next as Stats);
    },
  });
  if (observer.values) {
    const names = [...new Set(await observer.values(model))];
    for (const name of names) stats.set(name, observer.init(name));
    return names.map((name) => fold(name, name, (s, x) => observer.update(s, x, name, kernels)));
  }
  const folds: Fold[] = [];
  for (const layer of layers(model)) {
    const inputs = inputsOf(layer);
    const empty = inputs.length > 0 ? observer.init(layer) : undefined;
    if (empty === undefined) continue;
    stats.set(layer.name, empty);
    for (const value of inputs) folds.push(fold(layer.name, value, (s, x) => observer.update(s, x, layer, kernels)));
  }
  return folds;
};

/** Inputs of a layer that can be fetched: those of its uses in the main graph. */
const inputsOf = ({ uses }: Layer): string[] => [
  ...new Set(uses.filter(({ path, input }) => path.length === 0 && input !== "").map(({ input }) => input)),
];

/**
 * Statistics of a pass, by layer or value name: calibration data streams through the model, and each watched value is
 * folded in and forgotten. Values are watched in groups that fit `memory`, a run over the data for each group, so that
 * the memory needed does not grow with the number of samples, nor with the number of watched values.
 *
 * Statistics that a store of the context has for this model, data and kind are taken from there; others are put there.
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
    kernels,
    progress,
    stats: store,
  }: Pick<Context, "calibration" | "ort" | "threads" | "signal" | "kernels" | "progress" | "stats">,
  { memory = USUAL_MEMORY }: ObserveOptions = {},
): Promise<Map<string, Stats>> => {
  if (!calibration) throw needs("calibration", "calibration: () => an async iterable of feeds");
  if (!ort) throw needs("ort", "ort: onnxruntime-node or onnxruntime-web");
  const stats = new Map<string, Stats>();
  const folds = await foldsOf(model, observer, stats, kernels);
  const names = [...new Set(folds.map(({ value }) => value))];
  if (names.length === 0) return stats;
  const kind = observer.values ? undefined : observer.key;
  const key =
    store && kind !== undefined
      ? [kind, kernels?.gram ? "fast" : "", await modelHash(model), await dataHash(calibration), ...stats.keys()].join(
          " ",
        )
      : undefined;
  const kept = key === undefined ? undefined : decodeStats((await store!.get(key)) ?? new Uint8Array());
  if (kept) return kept as Map<string, Stats>;
  const onThreads = threads !== undefined && { threads };
  const first = await firstOf(calibration);
  const groups = await groupValues(ort, model, names, first, { memory, ...onThreads, ...(signal && { signal }) });
  const task = "calibrate";

  let done = 0;
  let total: number | undefined;
  progress({ kind: "start", task });
  for (const group of groups) {
    const wanted = folds.filter(({ value }) => group.includes(value));
    const session = await openSession(ort, model, { fetch: group, ...onThreads });
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
  if (key !== undefined) await store!.set(key, encodeStats(stats));
  return stats;
};

import type { Metrics, Sizes } from "@espalier/combine";
import {
  brotliBytes,
  type Calibration,
  compareModels,
  type Feeds,
  type Fidelity,
  generateFeeds,
  isEspalierError,
  type LayerFidelity,
  type Model,
  measureLatency,
  measureSize,
  type Ort,
  openSession,
  type ProgressEvent,
  streamOnnx,
  type Timing,
} from "@espalier/core";
import type { Data, Evaluate } from "./data/data.ts";

/** The document of `compare --json`. */
export interface ComparisonDocument {
  readonly a: Sizes;
  readonly b: Sizes;
  /** What was compared on: the data of `--data`, or made-up inputs. */
  readonly data: "given" | "generated";
  readonly fidelity: Readonly<Record<string, Fidelity>>;
  readonly layers: readonly LayerFidelity[];
  readonly metrics?: { readonly a: Metrics; readonly b: Metrics };
  readonly latency: { readonly a: Timing; readonly b: Timing; readonly ratio: number };
}

export interface ComparisonOptions {
  readonly ort: Ort;
  readonly data?: Data;
  readonly threads?: number;
  readonly signal: AbortSignal;
  readonly progress: (event: ProgressEvent) => void;
}

const TIMED_FEEDS = 4;

const firstFeeds = async (calibration: Calibration, count: number): Promise<Feeds[]> => {
  const feeds: Feeds[] = [];
  for await (const feed of calibration()) {
    feeds.push(feed);
    if (feeds.length === count) break;
  }
  return feeds;
};

const evaluated = async (model: Model, evaluate: Evaluate, { ort, threads }: ComparisonOptions): Promise<Metrics> => {
  const session = await openSession(ort, model, threads === undefined ? {} : { threads });
  try {
    return await evaluate((feeds) => session.run(feeds));
  } finally {
    await session.release();
  }
};

/** Bytes, and what is left of them after brotli; models that one file cannot hold are not packed. */
const sizesOf = async (model: Model, signal: AbortSignal): Promise<Sizes> => {
  const { bytes } = measureSize(model);
  try {
    const brotli = await brotliBytes(streamOnnx(model), { signal });
    return { bytes, ...(brotli !== undefined && { brotli }) };
  } catch (error) {
    if (isEspalierError(error) && error.code === "TOO_LARGE") return { bytes };
    throw error;
  }
};

/** Everything by which two models can be told apart. @throws what measuring throws */
export const comparisonOf = async (a: Model, b: Model, options: ComparisonOptions): Promise<ComparisonDocument> => {
  const { ort, data, threads, signal, progress } = options;
  const shared = { ort, signal, progress, ...(threads !== undefined && { threads }) };
  const made = data ? [] : await generateFeeds(a, { ort });
  const calibration = data ? data.calibration : () => made;
  const { outputs, layers } = await compareModels(a, b, { ...shared, data: calibration });
  const feeds = await firstFeeds(calibration, TIMED_FEEDS);
  const { before, after, ratio } = await measureLatency({ ...shared, before: a, after: b, feeds });
  const evaluate = data?.evaluate;
  const metrics = evaluate && { a: await evaluated(a, evaluate, options), b: await evaluated(b, evaluate, options) };
  return {
    a: await sizesOf(a, signal),
    b: await sizesOf(b, signal),
    data: data ? "given" : "generated",
    fidelity: outputs,
    layers,
    ...(metrics && { metrics }),
    latency: { a: before, b: after, ratio },
  };
};

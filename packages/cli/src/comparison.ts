import type { Metrics } from "@espalier/combine";
import {
  brotliBytes,
  type Calibration,
  compareModels,
  type Feeds,
  type Fidelity,
  generateFeeds,
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
  readonly a: { readonly bytes: number; readonly brotli?: number };
  readonly b: { readonly bytes: number; readonly brotli?: number };
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
  const sizeOf = async (model: Model) => {
    const brotli = await brotliBytes(streamOnnx(model), { signal });
    return { bytes: measureSize(model).bytes, ...(brotli !== undefined && { brotli }) };
  };
  return {
    a: await sizeOf(a),
    b: await sizeOf(b),
    data: data ? "given" : "generated",
    fidelity: outputs,
    layers,
    ...(metrics && { metrics }),
    latency: { a: before, b: after, ratio },
  };
};

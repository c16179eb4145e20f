import { checkAborted } from "../abort.ts";
import { EspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import type { Feeds, ProgressEvent } from "../pass.ts";
import type { Ort } from "../run/ort.ts";
import { openSession, type Session } from "../run/session.ts";

/** Milliseconds of one run. */
export interface Timing {
  readonly median: number;
  /** First quartile. */
  readonly low: number;
  /** Third quartile. */
  readonly high: number;
}

export interface Latency {
  readonly before: Timing;
  readonly after: Timing;
  /** `after.median / before.median` */
  readonly ratio: number;
}

export interface LatencyOptions {
  /** Runs of each model that are not counted. */
  readonly warmUp?: number;
  /** Counted runs of each model. */
  readonly rounds?: number;
  readonly signal?: AbortSignal;
  readonly progress?: (event: ProgressEvent) => void;
}

export interface MeasureLatencyOptions extends LatencyOptions {
  readonly before: Model;
  readonly after: Model;
  /** Used in turn, one a round. */
  readonly feeds: readonly Feeds[];
  readonly ort: Ort;
  /** Threads of each session in onnxruntime-node. */
  readonly threads?: number;
}

/** A round of a fast model is as many runs as take about this long together: shorter ones are lost in the clock. */
const ROUND_MS = 5;
const MAX_REPEATS = 100;

const QUARTERS = [0.25, 0.5, 0.75] as const;

/** Value at a fraction of sorted numbers, between neighbours by a straight line. */
const quantile = (sorted: readonly number[], fraction: number): number => {
  const at = fraction * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below] + (at - below) * (sorted[Math.ceil(at)] - sorted[below]);
};

const timingOf = (times: readonly number[]): Timing => {
  const sorted = [...times].sort((a, b) => a - b);
  const [low, median, high] = QUARTERS.map((fraction) => quantile(sorted, fraction));
  return { median, low, high };
};

/**
 * Milliseconds of two sessions on the same feeds, run in turn (before after, after before …), so that whatever else the
 * machine does falls on both.
 *
 * @throws EspalierError `BAD_DATA`, `RUNTIME`, `ABORTED`
 */
export const latencyOf = async (
  before: Session,
  after: Session,
  feeds: readonly Feeds[],
  { warmUp = 3, rounds = 15, signal, progress = () => undefined }: LatencyOptions = {},
): Promise<Latency> => {
  if (feeds.length === 0 || rounds < 1)
    throw new EspalierError("BAD_DATA", "core/measure", "latency needs feeds and rounds. Give at least one of each.");
  const task = "latency";
  const time = async (session: Session, feed: Feeds, repeats: number) => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) await session.run(feed);
    return (performance.now() - start) / repeats;
  };
  progress({ kind: "start", task, total: rounds });
  let slower = 0;
  for (let i = 0; i < Math.max(1, warmUp); i++) {
    checkAborted("core/measure", signal);
    const feed = feeds[i % feeds.length];
    slower = Math.max(await time(before, feed, 1), await time(after, feed, 1));
  }
  const repeats = Math.min(MAX_REPEATS, Math.max(1, Math.floor(ROUND_MS / slower)));
  const times: { before: number[]; after: number[] } = { before: [], after: [] };
  for (let round = 0; round < rounds; round++) {
    checkAborted("core/measure", signal);
    const feed = feeds[round % feeds.length];
    const one = async () => times.before.push(await time(before, feed, repeats));
    const other = async () => times.after.push(await time(after, feed, repeats));
    for (const step of round % 2 === 0 ? [one, other] : [other, one]) await step();
    progress({ kind: "step", task, done: round + 1, total: rounds });
  }
  progress({ kind: "end", task });
  const [a, b] = [timingOf(times.before), timingOf(times.after)];
  return { before: a, after: b, ratio: b.median / a.median };
};

/** `latencyOf` two models, each in a session of its own on `threads` threads. @throws EspalierError as `latencyOf` */
export const measureLatency = async ({
  before,
  after,
  feeds,
  ort,
  threads = 1,
  ...options
}: MeasureLatencyOptions): Promise<Latency> => {
  checkAborted("core/measure", options.signal);
  const one = await openSession(ort, before, { threads });
  try {
    const other = await openSession(ort, after, { threads });
    try {
      return await latencyOf(one, other, feeds, options);
    } finally {
      await other.release();
    }
  } finally {
    await one.release();
  }
};

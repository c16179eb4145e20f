import {
  type Calibration,
  checkAborted,
  classOutputs,
  EspalierError,
  type Feeds,
  generateFeeds,
  type Latency,
  latencyOf,
  type Model,
  type Ort,
  openSession,
  type ProgressEvent,
  type Session,
} from "@espalier/core";
import { compareOutputs, type OutputComparison } from "./compare-outputs.ts";
import { scoresOf } from "./evaluate.ts";
import type { Metrics } from "./report/report.ts";
import type { Data } from "./settings.ts";

export interface ReferenceOptions {
  readonly ort: Ort;
  readonly data: Data;
  readonly seed: number;
  readonly threads: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly progress: (event: ProgressEvent) => void;
}

interface MeasureOptions {
  /** Run the user's `evaluate` too. */
  readonly evaluate: boolean;
  /** A ratio not far above this is measured again, and the lowest counts: other work on the machine only adds. */
  readonly latencyLimit: number | undefined;
}

/** What running a result beside the model that came in has shown. */
export interface Measured extends OutputComparison {
  readonly latency: Latency;
  readonly metrics?: { readonly before: Metrics; readonly after: Metrics };
}

/** The model that came in, loaded once, to hold results against. */
export interface Reference {
  /** What fidelity and latency are measured on. */
  readonly data: "given" | "generated";
  measure(result: Model, options: MeasureOptions): Promise<Measured>;
  close(): Promise<void>;
}

/** Samples on which outputs are compared: at most of the user's, at most made up, and at least where runs are slow. */
const SAMPLES = { given: 32, generated: 16, least: 4 };
/** Milliseconds for the runs of a comparison, and for the rounds of a latency measurement, of both models. */
const COMPARE_MS = 8000;
const LATENCY_MS = 3000;
/** Samples on which latency is measured, in turn; rounds at least and at most. */
const LATENCY_SAMPLES = 4;
const ROUNDS = [5, 15] as const;
/** A ratio up to so many times the limit may be noise, and is measured so many times more. */
const NEAR_LIMIT = 1.4;
const REPEATS = 2;
/** Latency is of one thread where nobody says: it varies least. */
const LATENCY_THREADS = 1;

async function* first(data: Calibration, count: number): AsyncGenerator<Feeds> {
  let given = 0;
  for await (const feeds of data()) {
    yield feeds;
    if (++given === count) return;
  }
}

const clamp = (value: number, least: number, most: number) => Math.max(least, Math.min(most, Math.floor(value)));

const using = async <T>(session: Session, work: (session: Session) => Promise<T>): Promise<T> => {
  try {
    return await work(session);
  } finally {
    await session.release();
  }
};

const noSamples = () =>
  new EspalierError(
    "BAD_DATA",
    "combine/measure",
    "the data has no samples. Give at least one, each time it is called.",
  );

const onThreads = (threads: number | undefined) => (threads === undefined ? {} : { threads });

/** Samples to compare on: the user's, or made up from the model's inputs. */
const samplesOf = async (
  model: Model,
  { ort, data, seed, threads, signal }: ReferenceOptions,
): Promise<Calibration> => {
  if (data.calibration) return data.calibration;
  const count = SAMPLES.generated;
  const made = await generateFeeds(model, { ort, count, seed, ...onThreads(threads), ...(signal && { signal }) });
  return () => made;
};

/** Milliseconds of one run, after another to warm up. */
const timeOf = async (session: Session, feeds: Feeds): Promise<number> => {
  await session.run(feeds);
  const start = performance.now();
  await session.run(feeds);
  return performance.now() - start;
};

/**
 * Loads the model that came in and runs it. Close it when done.
 *
 * @throws EspalierError `RUNTIME` where the runtime refuses the model, `BAD_DATA` where it cannot be fed
 */
export const openReference = async (model: Model, options: ReferenceOptions): Promise<Reference> => {
  const { ort, data, threads, signal, progress } = options;
  const load = (of: Model) => openSession(ort, of, { threads: threads ?? LATENCY_THREADS });
  const session = await load(model);
  try {
    const samples = await samplesOf(model, options);
    const timed: Feeds[] = [];
    for await (const feeds of first(samples, LATENCY_SAMPLES)) timed.push(feeds);
    if (timed.length === 0) throw noSamples();
    const both = 2 * (await timeOf(session, timed[0]!));
    const count = clamp(COMPARE_MS / both, SAMPLES.least, SAMPLES[data.calibration ? "given" : "generated"]);
    const rounds = clamp(LATENCY_MS / both, ...ROUNDS);

    const classes = classOutputs(model);

    const compare = async (result: Session) => {
      const comparison = compareOutputs(classes);
      for await (const feeds of first(samples, count)) {
        checkAborted("combine/measure", signal);
        comparison.add(await session.run(feeds), await result.run(feeds));
      }
      return comparison.result();
    };

    const time = async (result: Session, limit: number | undefined) => {
      const once = () => latencyOf(session, result, timed, { warmUp: 1, rounds, progress, ...(signal && { signal }) });
      let best = await once();
      const near = (ratio: number) => limit !== undefined && ratio > limit && ratio <= NEAR_LIMIT * limit;
      for (let again = 0; again < REPEATS && near(best.ratio); again++) {
        const latency = await once();
        if (latency.ratio < best.ratio) best = latency;
      }
      return best;
    };

    const score = async (of: Model): Promise<Metrics> =>
      using(await openSession(ort, of, onThreads(threads)), (run) => scoresOf(run, data, signal));
    let before: Metrics | undefined;

    return {
      data: data.calibration ? "given" : "generated",
      async measure(result, { evaluate, latencyLimit }) {
        const measured = await using(await load(result), async (other) => ({
          ...(await compare(other)),
          latency: await time(other, latencyLimit),
        }));
        if (!evaluate || !data.evaluate) return measured;
        before ??= await score(model);
        return { ...measured, metrics: { before, after: await score(result) } };
      },
      close: () => session.release(),
    };
  } catch (error) {
    await session.release();
    throw error;
  }
};

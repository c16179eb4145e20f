import { pathToFileURL } from "node:url";
import { type Metrics, nearest, type Run } from "@espalier/combine";
import { type Calibration, type Feeds, isEspalierError, type LabelledBatch, type Training } from "@espalier/core";
import { badData, firstLine } from "../errors.ts";
import { checkFeeds } from "./check-feeds.ts";
import type { Data, Evaluate } from "./data.ts";
import type { InputSpec } from "./model-inputs.ts";
import { type Spool, spool } from "./spool.ts";

const EXPORTS = ["calibration", "evaluate", "training"];

type Samples = AsyncIterable<unknown> | Iterable<unknown>;

const isIterable = (value: unknown): value is Samples =>
  typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);

/** Errors of the user's own code, told as such; errors of ours as they are. */
const own = (file: string, what: string, error: unknown): Error =>
  isEspalierError(error) ? error : badData(file, `${what}: ${firstLine(error)}. Correct the module.`, error);

const load = async (path: string, file: string): Promise<Record<string, unknown>> => {
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    throw badData(file, `could not be loaded: ${firstLine(error)}. Correct the module.`, error);
  }
};

const checkExports = async (module: Record<string, unknown>, file: string) => {
  if (typeof module.calibration === "function" || isIterable(module.calibration)) return;
  const names = Object.keys(module);
  const found = names.length === 0 ? "nothing" : names.map((name) => `"${name}"`).join(", ");
  const others = names.filter((name) => !EXPORTS.includes(name));
  const near = await nearest("calibration", others);
  const hint = near ? ` Is "${near}" meant?` : "";
  throw badData(
    file,
    `exports ${found}, and no function \`calibration\`.${hint} Export one that returns feeds, one for each sample.`,
  );
};

/** Checks each feed as it passes. */
async function* checked(feeds: Samples, file: string, inputs: readonly InputSpec[]): AsyncGenerator<Feeds> {
  let sample = 0;
  try {
    for await (const feed of feeds) yield await checkFeeds(inputs, feed, file, `in sample ${sample++}`);
  } catch (error) {
    throw own(file, `threw while it made sample ${sample}`, error);
  }
}

/** A function is called for each pass over the data; one that hands out the same used-up iterable again is found out. */
const calls = (make: () => unknown, file: string, inputs: readonly InputSpec[]): Calibration => {
  let gave = false;
  return async function* () {
    let feeds: unknown;
    try {
      feeds = await make();
    } catch (error) {
      throw own(file, "threw in `calibration`", error);
    }
    if (!isIterable(feeds)) {
      throw badData(
        file,
        `returns ${typeof feeds} from \`calibration\`. Return an async iterable of feeds, or a list.`,
      );
    }
    const before = gave;
    let empty = true;
    for await (const feed of checked(feeds, file, inputs)) {
      [gave, empty] = [true, false];
      yield feed;
    }
    if (before && empty) {
      throw badData(
        file,
        "gave samples when `calibration` was first called, and none when it was called again. Make the iterable inside the function.",
      );
    }
  };
};

/** An iterable that may be readable once is written to disk when it is first asked for. */
const spooled = (feeds: Samples, file: string, inputs: readonly InputSpec[]) => {
  let written: Promise<Spool> | undefined;
  return {
    async *calibration() {
      written ??= spool(checked(feeds, file, inputs));
      yield* (await written).read();
    },
    close: async () => (await written)?.close(),
  };
};

const checkMetrics = (metrics: unknown, file: string): Metrics => {
  const entries = typeof metrics === "object" && metrics !== null ? Object.entries(metrics) : [];
  const bad = entries.find(([, m]) => typeof m?.value !== "number" || (m.better !== "lower" && m.better !== "higher"));
  if (entries.length === 0 || bad) {
    const what = bad ? `"${bad[0]}" from \`evaluate\` without value or better` : "no metrics from `evaluate`";
    throw badData(
      file,
      `returns ${what}. Return { name: { value: 0.1, better: "lower" } }, better "lower" or "higher".`,
    );
  }
  return metrics as Metrics;
};

const evaluator = (evaluate: unknown, file: string, inputs: readonly InputSpec[]): Evaluate | undefined => {
  if (evaluate === undefined) return undefined;
  if (typeof evaluate !== "function") {
    throw badData(file, `exports ${typeof evaluate} as \`evaluate\`. Export a function (run) => metrics.`);
  }
  return async (run: Run) => {
    try {
      const metrics = await evaluate(async (feeds: unknown) =>
        run(await checkFeeds(inputs, feeds, file, "in `evaluate`")),
      );
      return checkMetrics(metrics, file);
    } catch (error) {
      throw own(file, "threw in `evaluate`", error);
    }
  };
};

/** Feeds are checked as they pass; labels are the loss's to check. */
const trainer = (training: unknown, file: string, inputs: readonly InputSpec[]): Training | undefined => {
  if (training === undefined) return undefined;
  if (typeof training !== "function")
    throw badData(file, `exports ${typeof training} as \`training\`. Export a function ({ epoch, rng }) => batches.`);
  return async function* (place): AsyncGenerator<LabelledBatch> {
    let batch = 0;
    try {
      const batches = await training(place);
      if (!isIterable(batches))
        throw badData(
          file,
          `returns ${typeof batches} from \`training\`. Return an async iterable of { feeds, labels }.`,
        );
      for await (const given of batches as AsyncIterable<LabelledBatch>) {
        const feeds = await checkFeeds(inputs, given?.feeds, file, `in training batch ${batch++}`);
        yield { feeds, labels: given.labels };
      }
    } catch (error) {
      throw own(file, `threw while it made training batch ${batch}`, error);
    }
  };
};

/** The data of a module that exports `calibration` and perhaps `evaluate` and `training`. @throws EspalierError `BAD_DATA` */
export const moduleData = async (path: string, file: string, inputs: readonly InputSpec[]): Promise<Data> => {
  const module = await load(path, file);
  await checkExports(module, file);
  const { calibration } = module;
  const evaluate = evaluator(module.evaluate, file, inputs);
  const training = trainer(module.training, file, inputs);
  const again =
    typeof calibration === "function"
      ? { calibration: calls(calibration as () => unknown, file, inputs) }
      : Array.isArray(calibration)
        ? { calibration: calls(() => calibration, file, inputs) }
        : spooled(calibration as Samples, file, inputs);
  return { close: async () => undefined, ...again, ...(evaluate && { evaluate }), ...(training && { training }) };
};

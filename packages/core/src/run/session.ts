import { EspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import type { Feeds } from "../pass.ts";
import type { DataType, Tensor } from "../tensor.ts";
import type { Ort, OrtSession, OrtTensor } from "./ort.ts";
import { isNative, sessionSource } from "./session-source.ts";

export interface SessionOptions {
  /** Inner values of the main graph that can be fetched beside the outputs. */
  readonly fetch?: readonly string[];
  /** Threads of onnxruntime-node; onnxruntime-web takes `ort.env.wasm.numThreads`, before its first session. */
  readonly threads?: number;
  /** Passed to `InferenceSession.create`: `executionProviders`, `graphOptimizationLevel` … */
  readonly ortOptions?: Readonly<Record<string, unknown>>;
}

/** A model that is loaded in a runtime. */
export interface Session {
  readonly inputs: readonly string[];
  /** The model's own outputs, then what `fetch` named. */
  readonly outputs: readonly string[];
  /** Values by name: those in `outputs`, by default the model's own. @throws EspalierError `BAD_DATA`, `RUNTIME` */
  run(feeds: Feeds, outputs?: readonly string[]): Promise<Readonly<Record<string, Tensor>>>;
  release(): Promise<void>;
}

/** The message of onnxruntime without the place in its own source. */
const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).trim();

const runtimeError = (what: string, cause: unknown) =>
  new EspalierError("RUNTIME", "core/run", `onnxruntime ${what}: ${reasonOf(cause)}`, { cause });

/** What onnxruntime gave, as a tensor of ours; half floats as their bit patterns whatever the engine has. */
const tensorOf = async (value: OrtTensor): Promise<Tensor> => {
  const found = value.getData ? await value.getData() : value.data;
  const type = value.type as DataType;
  const view = found as Uint16Array;
  const data = type === "float16" ? new Uint16Array(view.buffer, view.byteOffset, view.length) : found;
  return { type, dims: [...value.dims], data } as Tensor;
};

/**
 * A tensor of `ort`. Where the engine has Float16Array, onnxruntime-common stores half floats in it, and
 * onnxruntime-node 1.30 finds no bytes in one: it is shown the bit patterns instead.
 */
const ortTensor = (ort: Ort, { type, dims, data }: Tensor): OrtTensor => {
  const made = new ort.Tensor(type, data, dims);
  if (type === "float16" && isNative(ort)) Object.defineProperty(made, "data", { value: data });
  return made;
};

const checkFeeds = (inputs: readonly string[], feeds: Feeds) => {
  const missing = inputs.filter((name) => feeds[name] === undefined);
  if (missing.length === 0) return;
  throw new EspalierError(
    "BAD_DATA",
    "core/run",
    `the data has no tensor for input ${missing.map((name) => `"${name}"`).join(", ")}; it has ${Object.keys(feeds).join(", ") || "none"}. Give one for each input.`,
  );
};

/**
 * onnxruntime-node 1.30 sends events about models and sessions to its maker. It looks for this variable when the first
 * session of the process is made; a value that the user set stays.
 */
const keepToOurselves = () => {
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
};

/**
 * A session of `ort` (onnxruntime-node or onnxruntime-web) on a model. Release it when done. Telemetry of
 * onnxruntime-node is off where this makes the first session of the process, unless the environment says otherwise.
 *
 * @throws EspalierError `RUNTIME` with the message of onnxruntime where it refuses the model
 */
export const openSession = async (
  ort: Ort,
  model: Model,
  { fetch = [], threads, ortOptions = {} }: SessionOptions = {},
): Promise<Session> => {
  const own = model.graph.outputs.map(({ name }) => name);
  const given = new Set(model.graph.inputs.map(({ name }) => name));
  const extra = [...new Set(fetch)].filter((name) => !own.includes(name) && !given.has(name));
  const options = {
    logSeverityLevel: 3,
    ...(threads !== undefined && { intraOpNumThreads: threads, interOpNumThreads: 1 }),
    ...ortOptions,
  };
  if (isNative(ort)) keepToOurselves();
  const source = await sessionSource(ort, model, extra);
  let inner: OrtSession;
  try {
    inner = await ort.InferenceSession.create(source.input, options);
  } catch (cause) {
    await source.remove();
    throw runtimeError("refused the model", cause);
  }
  const inputs = inner.inputNames;
  return {
    inputs,
    outputs: [...own, ...extra],
    async run(feeds, outputs = own) {
      checkFeeds(inputs, feeds);
      const asked = outputs.filter((name) => !given.has(name));
      const found: Record<string, Tensor> = {};
      for (const name of outputs) if (given.has(name)) found[name] = feeds[name];
      if (asked.length === 0) return found;
      try {
        const fed = Object.fromEntries(inputs.map((name) => [name, ortTensor(ort, feeds[name])]));
        const results = await inner.run(fed, asked);
        for (const name of asked) {
          found[name] = await tensorOf(results[name]);
          results[name].dispose?.();
        }
      } catch (cause) {
        throw runtimeError("failed on the data", cause);
      }
      return found;
    },
    async release() {
      await inner.release();
      await source.remove();
    },
  };
};

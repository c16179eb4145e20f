import { checkAborted } from "../abort.ts";
import { EspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import { isFloatType } from "../numeric/floats.ts";
import type { Calibration, ProgressEvent } from "../pass.ts";
import type { Ort } from "../run/ort.ts";
import { openSession, type Session } from "../run/session.ts";
import { firstOf, groupValues, USUAL_MEMORY } from "../run/value-groups.ts";
import type { Tensor } from "../tensor.ts";
import { classOutputs } from "./class-outputs.ts";
import { type Fidelity, type FidelitySums, fidelityOf } from "./fidelity.ts";
import { sharedValues } from "./shared-values.ts";

export interface CompareOptions {
  readonly ort: Ort;
  readonly data: Calibration;
  readonly threads?: number;
  /** Compare inner values too, which takes further runs over the data. */
  readonly inner?: boolean;
  /** Bytes of inner values of both models that may be held at a time. */
  readonly memory?: number;
  readonly signal?: AbortSignal;
  readonly progress?: (event: ProgressEvent) => void;
}

export interface LayerFidelity {
  /** Name of an inner value. */
  readonly value: string;
  readonly relativeL2: number;
}

export interface Comparison {
  readonly outputs: Readonly<Record<string, Fidelity>>;
  /**
   * Float values of the main graph that both models have with the same dims, in the order of the graph; empty without
   * `inner`.
   */
  readonly layers: readonly LayerFidelity[];
}

const sharedOutputs = (a: Model, b: Model): string[] => {
  const [mine, theirs] = [a, b].map(({ graph }) => graph.outputs.map(({ name }) => name));
  const missing = mine.filter((name) => !theirs.includes(name));
  if (missing.length === 0) return mine;
  throw new EspalierError(
    "BAD_MODEL",
    "core/measure",
    `the second model lacks output ${missing.map((name) => `"${name}"`).join(", ")}; it has ${theirs.join(", ")}. Compare models with the same outputs.`,
  );
};

const comparable = (a: Tensor, b: Tensor) =>
  isFloatType(a.type) && isFloatType(b.type) && a.dims.join() === b.dims.join();

/** Both sessions open while `use` runs. */
const withBoth = async (
  [a, b]: readonly [Model, Model],
  fetch: readonly string[],
  { ort, threads }: Pick<CompareOptions, "ort" | "threads">,
  use: (a: Session, b: Session) => Promise<void>,
) => {
  const options = { fetch, ...(threads !== undefined && { threads }) };
  const one = await openSession(ort, a, options);
  try {
    const other = await openSession(ort, b, options);
    try {
      await use(one, other);
    } finally {
      await other.release();
    }
  } finally {
    await one.release();
  }
};

/**
 * How far `b` is from `a` on the same data: each output over all samples, and with `inner` each inner value that both
 * have, so that the first that goes wrong is seen. One sample is run at a time, and inner values are fetched in groups
 * that fit `memory`, a run over the data for each, so that memory grows neither with samples nor with layers. Argmax
 * agreement and KL are given for outputs that are scores of classes (logits, probabilities), see `classOutputs`.
 *
 * @throws EspalierError `BAD_MODEL` for other outputs, `BAD_TENSOR` for outputs of other dims, `BAD_DATA`, `RUNTIME`,
 *   `ABORTED`
 */
export const compareModels = async (
  a: Model,
  b: Model,
  { ort, data, threads, inner = true, memory = USUAL_MEMORY, signal, progress = () => undefined }: CompareOptions,
): Promise<Comparison> => {
  const outputs = sharedOutputs(a, b);
  const first = await firstOf(data);
  const onThreads = threads !== undefined && { threads };
  checkAborted("core/measure", signal);
  const groups = inner
    ? await groupValues(ort, a, sharedValues(a, b), first, {
        memory: memory / 2,
        ...onThreads,
        ...(signal && { signal }),
      })
    : [];
  const classes = classOutputs(a);
  const task = "compare";
  let done = 0;
  let total: number | undefined;
  progress({ kind: "start", task });

  const compare = async (names: readonly string[], inside: boolean) => {
    const fetch = inside ? names : [];
    const sums = new Map<string, FidelitySums>(
      names.map((name) => [name, fidelityOf({ name, classes: classes.has(name) })]),
    );
    await withBoth([a, b], fetch, { ort, ...onThreads }, async (one, other) => {
      for await (const feeds of data()) {
        checkAborted("core/measure", signal);
        const expected = await one.run(feeds, names);
        const actual = await other.run(feeds, names);
        for (const [name, sum] of sums) {
          if (inside && !comparable(expected[name], actual[name])) sums.delete(name);
          else sum.add(expected[name], actual[name]);
        }
        progress({ kind: "step", task, done: ++done, ...(total !== undefined && { total }) });
      }
    });
    total ??= done * (1 + groups.length);
    return [...sums].map(([name, sum]) => [name, sum.result()] as const);
  };

  // outputs in sessions of their own: fetching inner values keeps the runtime from fusing what it would fuse
  const found = await compare(outputs, false);
  const layers: LayerFidelity[] = [];
  for (const group of groups)
    for (const [value, { relativeL2 }] of await compare(group, true)) layers.push({ value, relativeL2 });
  progress({ kind: "end", task });
  return { outputs: Object.fromEntries(found), layers };
};

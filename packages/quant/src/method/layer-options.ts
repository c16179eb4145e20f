import {
  type Calibration,
  type Context,
  checkAborted,
  compareModels,
  type Feeds,
  type GramStats,
  gramOf,
  type Layer,
  latencyOf,
  layers,
  type Model,
  openSession,
  type Pass,
  runPass,
  type Selection,
} from "@espalier/core";
import { matmul, matrix } from "@espalier/core/linalg";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { rowErrors } from "../solve/row-errors.ts";
import { rtn } from "./rtn.ts";
import { type RtnOptions, weightPass } from "./weight-pass.ts";

/** One way to store one layer. */
export interface LayerOption {
  /** Index of the choice; -1 leaves the layer as it is. */
  readonly choice: number;
  readonly bytes: number;
  readonly cost: number;
  readonly error: number;
}

/** Options of layers by name, in the order of the model; the first leaves the layer as it is. */
export type LayerOptions = ReadonlyMap<string, readonly LayerOption[]>;

export type Choices = readonly Omit<RtnOptions, "skip" | "only">[];

/** What a method would decide by itself, decided. */
export const plain: RtnOptions = { sensitive: [], float16Below: 0 };

/** Calibration samples that models are measured on. */
const SAMPLES = 8;

const firstOf = (calibration: Calibration, count: number): Calibration =>
  async function* () {
    let left = count;
    for await (const feeds of calibration()) {
      yield feeds;
      if (--left === 0) return;
    }
  };

/**
 * ‖(ŵ - w) X‖² / ‖w X‖² of a layer by the Gram matrices of its input; with `trace` by the mean of their diagonals alone,
 * and so too where there are none.
 */
const relativeError = (
  w: Float32Array,
  errors: Float64Array,
  columns: number,
  stats: GramStats | undefined,
  trace: boolean,
) => {
  const energy = (values: ArrayLike<number>): number => {
    if (trace || !stats || stats.n === 0 || stats.columns !== columns) {
      let sum = 0;
      for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
      return sum;
    }
    const rows = values.length / columns / stats.groups;
    let sum = 0;
    for (let group = 0; group < stats.groups; group++) {
      const own = matrix(rows, columns);
      for (let i = 0; i < own.data.length; i++) own.data[i] = values[group * own.data.length + i]!;
      const product = matmul(own, gramOf(stats, group));
      for (let i = 0; i < own.data.length; i++) sum += own.data[i]! * product.data[i]!;
    }
    return sum;
  };
  const size = energy(w);
  return size > 0 ? energy(errors) / size : 0;
};

export interface OptionSettings extends Selection {
  readonly choices: Choices;
  /** The mean of the Gram matrix's diagonal stands for the matrix. */
  readonly trace: boolean;
  readonly stats: ReadonlyMap<string, GramStats>;
}

/** What each choice makes of each layer, rounded to nearest: bytes, which are the cost, and the relative output error. */
export const optionsOfLayers = async (
  name: string,
  model: Model,
  ctx: Context,
  { choices, skip, only, trace, stats }: OptionSettings,
): Promise<LayerOptions> => {
  const found = new Map<string, LayerOption[]>();
  for (const [choice, options] of choices.entries()) {
    const errors = new Map<string, number>();
    const pass = weightPass({
      name,
      options: { ...plain, ...options, skip, only },
      round: () => (rows, shape, grid, layer) => {
        const rounded = quantizeRows(rows, shape.rows, shape.columns, grid);
        const { data } = rowErrors(rows, rounded);
        errors.set(layer.name, relativeError(rows, data, shape.columns, stats.get(layer.name), trace));
        return rounded;
      },
    });
    const report: Context["report"] = ({ layer, action, bytesBefore = 0, bytesAfter = 0 }) => {
      if (action !== "changed") return;
      const own = found.get(layer) ?? [{ choice: -1, bytes: bytesBefore, cost: bytesBefore, error: 0 }];
      own.push({ choice, bytes: bytesAfter, cost: bytesAfter, error: errors.get(layer) ?? 0 });
      found.set(layer, own);
    };
    await pass.apply(model, { ...ctx, report, progress: () => undefined }, new Map());
  }
  return new Map(
    layers(model).flatMap((layer) => (found.has(layer.name) ? [[layer.name, found.get(layer.name)!]] : [])),
  );
};

/** The model with one choice for one layer. */
const changedOnly = (model: Model, ctx: Context, layer: string, options: Choices[number]): Promise<Model> => {
  const only = (one: Layer) => one.name === layer;
  const pass: Pass = rtn({ ...plain, ...options, only });
  return runPass(model, pass, { ...ctx, report: () => undefined, progress: () => undefined });
};

/** Options with something of each that changes a layer measured on the model that it makes. */
const measured = async (
  name: string,
  model: Model,
  ctx: Context,
  choices: Choices,
  options: LayerOptions,
  measure: (made: Model, option: LayerOption) => Promise<LayerOption>,
): Promise<LayerOptions> => {
  const total = [...options.values()].reduce((sum, own) => sum + own.length - 1, 0);
  const task = `${name}: sensitivity`;
  ctx.progress({ kind: "start", task, total });
  const found = new Map<string, LayerOption[]>();
  let done = 0;
  for (const [layer, own] of options) {
    const list: LayerOption[] = [];
    for (const option of own) {
      checkAborted(name, ctx.signal);
      if (option.choice < 0) list.push(option);
      else {
        list.push(await measure(await changedOnly(model, ctx, layer, choices[option.choice]!), option));
        ctx.progress({ kind: "step", task, done: ++done, total, note: layer });
      }
    }
    found.set(layer, list);
  }
  ctx.progress({ kind: "end", task });
  return found;
};

/** Options whose error is the model's: KL of outputs that are scores of classes, else their squared relative L2 distance. */
export const withModelErrors = (name: string, model: Model, ctx: Context, choices: Choices, options: LayerOptions) =>
  measured(name, model, ctx, choices, options, async (made, option) => {
    const { outputs } = await compareModels(model, made, {
      ort: ctx.ort!,
      data: firstOf(ctx.calibration!, SAMPLES),
      inner: false,
      ...(ctx.threads !== undefined && { threads: ctx.threads }),
    });
    const error = Object.values(outputs).reduce((sum, { kl, relativeL2 }) => sum + (kl ?? relativeL2 ** 2), 0);
    return { ...option, error };
  });

const MICROSECONDS = 1000;

/**
 * Options whose cost is time: microseconds that a run of the model takes longer with one layer changed, from the least of
 * the layer's options on; with the sum of costs that `ratio` of the model's time leaves.
 */
export const withLatencies = async (
  name: string,
  model: Model,
  ctx: Context,
  choices: Choices,
  options: LayerOptions,
  ratio: number,
): Promise<{ readonly options: LayerOptions; readonly budget: number }> => {
  const feeds: Feeds[] = [];
  for await (const one of firstOf(ctx.calibration!, 1)()) feeds.push(one);
  const threads = { threads: ctx.threads ?? 1 };
  const float = await openSession(ctx.ort!, model, threads);
  let base = 0;
  try {
    const timed = await measured(name, model, ctx, choices, options, async (made, option) => {
      const session = await openSession(ctx.ort!, made, threads);
      try {
        const { before, after } = await latencyOf(float, session, feeds);
        base ||= before.median * MICROSECONDS;
        return { ...option, cost: (after.median - before.median) * MICROSECONDS };
      } finally {
        await session.release();
      }
    });
    let budget = (ratio - 1) * base;
    const shifted = new Map<string, readonly LayerOption[]>();
    for (const [layer, own] of timed) {
      const costs = own.map((option) => (option.choice < 0 ? { ...option, cost: 0 } : option));
      const least = Math.min(...costs.map(({ cost }) => cost));
      budget -= least;
      shifted.set(
        layer,
        costs.map((option) => ({ ...option, cost: option.cost - least })),
      );
    }
    return { options: shifted, budget };
  } finally {
    await float.release();
  }
};

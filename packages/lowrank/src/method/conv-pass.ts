import {
  allocate,
  type Context,
  checkAborted,
  definePass,
  type Layer,
  layers,
  type Model,
  type Pass,
  type Rng,
  type Selection,
  sizeOf,
  unselected,
} from "@espalier/core";
import { badOption } from "../errors.ts";
import type { Dense } from "../factor/tensor.ts";
import { putStages, type Stage, type Staged } from "../graph/put-stages.ts";
import { shapeOf } from "../graph/shape.ts";
import { type RankOptions, type RankRule, rankRule } from "../rank/rank-options.ts";

/** Ranks of convolutions are chosen one layer at a time, or by `budget` for all of them together. */
export interface ConvOptions extends RankOptions, Selection {}

export type ConvRule = Exclude<RankRule, { kind: "budget" }>;

/** A row of smaller convolutions. */
interface Row {
  readonly stages: readonly Stage[];
  /** What the report says of the ranks. */
  readonly form: string;
  /** ‖W - W_r‖² */
  readonly error: number;
}

export interface ConvMethod {
  readonly name: string;
  /** Least number of kernel axes that are longer than 1, and of kernel axes at all. */
  readonly window: 1 | 2;
  readonly rules: readonly ConvRule["kind"][];
  /** @param w [out, in, ...kernel]; returns a row that has fewer parameters, or the reason why there is none */
  decompose(w: Dense, rule: ConvRule, rng: Rng): Row | string;
}

const unfit = (layer: Layer, { window }: ConvMethod): string | undefined => {
  if (layer.kind !== "conv" || layer.node.opType !== "Conv") return "it is no convolution";
  const kernel = layer.weight.dims.slice(2);
  if (kernel.length < window || kernel.filter((length) => length > 1).length < window)
    return `its kernel is ${kernel.join(" × ")}`;
  if (layer.groups > 1) return `it has ${layer.groups} groups`;
  const shape = shapeOf(layer);
  return typeof shape === "string" ? shape : undefined;
};

const FLOAT_BYTES: Readonly<Record<string, number>> = { float64: 8, float32: 4, float16: 2, bfloat16: 2 };

const sizeOfRow = ({ stages }: Row): number => stages.reduce((sum, { dims }) => sum + sizeOf(dims), 0);

/** Shares of parameters that are tried in each layer, and the units that a budget is counted in. */
const SHARES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const UNITS = 4000;

/** A layer, its squared norm, and the rows that it may become. */
interface Candidate {
  readonly size: number;
  readonly norm: number;
  readonly rows: readonly Row[];
}

/** For each layer a row, or none to leave it whole: the least sum of relative errors within the budget. */
const rowsInBudget = (where: string, candidates: readonly Candidate[], share: number): (Row | undefined)[] => {
  const unit = ((1 - share) * candidates.reduce((sum, { size }) => sum + size, 0)) / UNITS;
  const choices = candidates.map(({ size, norm, rows }) => [
    ...rows.map((row) => ({ cost: Math.ceil(sizeOfRow(row) / unit), error: norm > 0 ? row.error / norm : 0 })),
    { cost: Math.ceil(size / unit), error: 0 },
  ]);
  const picked = allocate(choices, UNITS);
  if (!picked)
    throw badOption(
      where,
      `the least that the layers can take is more than a budget of ${share} leaves. Give a smaller one.`,
    );
  return picked.map((index, i) => candidates[i].rows[index]);
};

/** Makes a pass of a decomposition: convolutions become rows of smaller ones, where that takes fewer parameters. */
export const convPass = (method: ConvMethod, { skip, only, ...ranks }: ConvOptions): Pass => {
  const { name, rules } = method;
  const rule = rankRule(name, ranks);
  if (rule.kind !== "budget" && !rules.includes(rule.kind))
    throw badOption(name, `ranks by ${rule.kind} are not to be had here. Give one of ${rules.join(", ")}, budget.`);
  const reasonOf = unselected({ skip, only });
  const apply = async (model: Model, ctx: Context): Promise<Model> => {
    const all = layers(model);
    const done: Staged[] = [];
    const waiting: { layer: Layer; candidate: Candidate }[] = [];
    const treat = async (layer: Layer): Promise<Row | Candidate | string> => {
      const reason = reasonOf(layer) ?? unfit(layer, method);
      if (reason !== undefined) return reason;
      const values = await layer.weight.read();
      if (!values.every(Number.isFinite)) return "its weights are not all finite";
      const w = { dims: layer.weight.dims, data: Float64Array.from(values) };
      const size = values.length;
      if (rule.kind === "budget") {
        const rows = SHARES.flatMap((share) => {
          checkAborted(name, ctx.signal);
          const row = method.decompose(w, { kind: "ratio", share }, ctx.rng.fork(layer.name));
          return typeof row !== "string" && sizeOfRow(row) < size ? [row] : [];
        });
        if (rows.length === 0) return `no rank saves anything in its ${size} parameters`;
        return { size, norm: w.data.reduce((sum, value) => sum + value * value, 0), rows };
      }
      const row = method.decompose(w, rule, ctx.rng.fork(layer.name));
      if (typeof row === "string") return row;
      const after = sizeOfRow(row);
      return after < size ? row : `${row.form} would take ${after} parameters for ${size}`;
    };
    const leave = (layer: Layer, reason: string) =>
      ctx.report({ pass: name, layer: layer.name, action: "skipped", reason });
    const take = (layer: Layer, row: Row) => {
      const bytes = FLOAT_BYTES[layer.weight.tensor.type];
      done.push({ layer, stages: row.stages });
      ctx.report({
        pass: name,
        layer: layer.name,
        action: "changed",
        form: row.form,
        bytesBefore: bytes * sizeOf(layer.weight.dims),
        bytesAfter: bytes * sizeOfRow(row),
      });
    };
    ctx.progress({ kind: "start", task: name, total: all.length });
    for (const [index, layer] of all.entries()) {
      checkAborted(name, ctx.signal);
      const found = await treat(layer);
      if (typeof found === "string") leave(layer, found);
      else if ("rows" in found) waiting.push({ layer, candidate: found });
      else take(layer, found);
      ctx.progress({ kind: "step", task: name, done: index + 1, total: all.length, note: layer.name });
    }
    if (rule.kind === "budget" && waiting.length > 0) {
      const chosen = rowsInBudget(
        name,
        waiting.map(({ candidate }) => candidate),
        rule.share,
      );
      waiting.forEach(({ layer }, i) => {
        const row = chosen[i];
        if (row) take(layer, row);
        else leave(layer, "the budget is better spent by leaving it whole");
      });
    }
    ctx.progress({ kind: "end", task: name });
    return putStages(model, done);
  };
  return definePass({ name, stage: "factor", traits: { changesShapes: true }, apply });
};

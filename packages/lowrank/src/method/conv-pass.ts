import {
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

/** Ranks of convolutions are chosen one layer at a time. */
export interface ConvOptions extends Pick<RankOptions, "ratio" | "rank" | "energy">, Selection {}

export type ConvRule = Exclude<RankRule, { kind: "budget" }>;

/** A row of smaller convolutions. */
interface Row {
  readonly stages: readonly Stage[];
  /** What the report says of the ranks. */
  readonly form: string;
}

export interface ConvMethod {
  readonly name: string;
  /** Least number of kernel axes that are longer than 1, and of kernel axes at all. */
  readonly window: 1 | 2;
  readonly rules: readonly RankRule["kind"][];
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

/** Makes a pass of a decomposition: convolutions become rows of smaller ones, where that takes fewer parameters. */
export const convPass = (method: ConvMethod, { skip, only, ...ranks }: ConvOptions): Pass => {
  const { name, rules } = method;
  const rule = rankRule(name, ranks);
  if (!rules.includes(rule.kind) || rule.kind === "budget")
    throw badOption(name, `ranks by ${rule.kind} are not to be had here. Give one of ${rules.join(", ")}.`);
  const reasonOf = unselected({ skip, only });
  const apply = async (model: Model, ctx: Context): Promise<Model> => {
    const all = layers(model);
    const done: Staged[] = [];
    const treat = async (layer: Layer): Promise<Row | string> => {
      const reason = reasonOf(layer) ?? unfit(layer, method);
      if (reason !== undefined) return reason;
      const values = await layer.weight.read();
      if (!values.every(Number.isFinite)) return "its weights are not all finite";
      const row = method.decompose(
        { dims: layer.weight.dims, data: Float64Array.from(values) },
        rule,
        ctx.rng.fork(layer.name),
      );
      if (typeof row === "string") return row;
      const [before, after] = [values.length, row.stages.reduce((sum, { dims }) => sum + sizeOf(dims), 0)];
      return after < before ? row : `${row.form} would take ${after} parameters for ${before}`;
    };
    ctx.progress({ kind: "start", task: name, total: all.length });
    for (const [index, layer] of all.entries()) {
      checkAborted(name, ctx.signal);
      const row = await treat(layer);
      if (typeof row === "string") ctx.report({ pass: name, layer: layer.name, action: "skipped", reason: row });
      else {
        const bytes = FLOAT_BYTES[layer.weight.tensor.type];
        done.push({ layer, stages: row.stages });
        ctx.report({
          pass: name,
          layer: layer.name,
          action: "changed",
          form: row.form,
          bytesBefore: bytes * sizeOf(layer.weight.dims),
          bytesAfter: bytes * row.stages.reduce((sum, { dims }) => sum + sizeOf(dims), 0),
        });
      }
      ctx.progress({ kind: "step", task: name, done: index + 1, total: all.length, note: layer.name });
    }
    ctx.progress({ kind: "end", task: name });
    return putStages(model, done);
  };
  return definePass({ name, stage: "factor", traits: { changesShapes: true }, apply });
};

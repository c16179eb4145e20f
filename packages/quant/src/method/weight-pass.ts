import {
  type Context,
  checkAborted,
  definePass,
  EspalierError,
  type Layer,
  type LayerFilter,
  layerFilter,
  layers,
  type Model,
  type Pass,
  type Selection,
  type Stage,
  sizeOf,
  type Traits,
  unselected,
  upgradeOpset,
} from "@espalier/core";
import { freshNames } from "../export/piece.ts";
import type { GridOptions } from "../grid/grid.ts";
import { readElsewhere } from "../other-readers.ts";
import { floatConstants, halfConstants } from "./half-constants.ts";
import { importanceRound } from "./importance-round.ts";
import { putPieces } from "./put-pieces.ts";
import { BLOCKED_OPSET, PER_AXIS_OPSET } from "./weight-fit.ts";
import { codebooks, gridOptionsOf, type PieceOptions, piecesOf, type Round, settled } from "./weight-pieces.ts";
import { type PlanOptions, planOf, type WeightPlan } from "./weight-plan.ts";

export interface RtnOptions
  extends Selection,
    PieceOptions,
    Partial<Omit<PlanOptions, "sensitive" | "opset" | "readElsewhere" | "smallTable">> {
  /** Layers that keep 8 bits where `bits` is lower: names, operator types, globs or a function. */
  readonly sensitive?: "auto" | LayerFilter;
  /** How biases, norms and other float32 constants are stored; float16 is cast back, which onnxruntime folds. */
  readonly rest?: "float32" | "float16";
}

export interface WeightMethod {
  /** "quant/gptq" */
  readonly name: string;
  /** "quantize" where nothing is said. */
  readonly stage?: Stage;
  readonly traits?: Traits;
  readonly options: RtnOptions;
  /**
   * Makes the rule by which weights are rounded; to nearest where there is none. It is given the layers of `model` that
   * get a grid, in order, and the grid that is planned for each.
   */
  round?(model: Model, ctx: Context, grids: ReadonlyMap<Layer, GridOptions>): Round | Promise<Round>;
}

/** Layers of at most so many weights are stored as float16, the smallest first, up to this share of all weights. */
const SMALL = 2048;
const SMALL_SHARE = 1 / 8;

/** Tables of at most this share of all weights keep 8 bits. */
export const SMALL_TABLE_SHARE = 1 / 64;

export const weightsOf = (all: readonly Layer[]): number =>
  all.reduce((sum, { weight }) => sum + sizeOf(weight.dims), 0);

/**
 * The size up to which layers are stored as float16. The first convolutions of a network are its smallest and the most
 * sensitive: 512 of PP-OCRv4's 2.7 million weights make most of the error of 8 bits.
 */
export const smallLimit = (all: readonly Layer[]): number => {
  const sizes = all.map(({ weight }) => sizeOf(weight.tensor.dims)).sort((a, b) => a - b);
  let left = SMALL_SHARE * sizes.reduce((sum, size) => sum + size, 0);
  let limit = 0;
  for (const size of sizes) {
    left -= size;
    if (left < 0 || size > SMALL) return limit;
    limit = size;
  }
  return limit;
};

const FULL_BITS = 8;

/** The model in an opset whose DequantizeLinear has what is asked for. */
const withOpset = (model: Model, dequantizes: boolean, blocked: boolean): Model => {
  const needed = dequantizes ? (blocked ? BLOCKED_OPSET : PER_AXIS_OPSET) : 0;
  return (model.opsets.get("") ?? 1) < needed ? upgradeOpset(model, needed) : model;
};

/** A plan for every layer that gets one; the others are reported. @throws EspalierError `UNSUPPORTED`, all at once */
const plansOf = (
  name: string,
  all: readonly Layer[],
  options: PlanOptions,
  selection: Selection,
  report: (layer: Layer, reason: string) => void,
) => {
  const reasonOf = unselected(selection);
  const plans = new Map<Layer, WeightPlan>();
  const refused: string[] = [];
  for (const layer of all) {
    const reason = reasonOf(layer);
    const plan = reason === undefined ? planOf(layer, options) : { reason };
    if ("form" in plan) plans.set(layer, plan);
    else if (plan.refused) refused.push(`layer "${layer.name}": ${plan.reason}.`);
    else report(layer, plan.reason);
  }
  if (refused.length > 0)
    throw new EspalierError(
      "UNSUPPORTED",
      name,
      `${refused.join(" ")} Choose another form or block, form: "auto", or skip these layers.`,
    );
  return plans;
};

/**
 * A pass that quantizes weights only: it plans as `rtn` does, rounds by the method's own rule, and writes every form that
 * `rtn` writes.
 */
export const weightPass = ({ name, stage = "quantize", traits, options: given, round }: WeightMethod): Pass => {
  const {
    bits = 8,
    blockSize = "auto",
    symmetric = true,
    zeroPoint = "integer",
    form = "auto",
    embeddings = "auto",
    target = "node",
    portable = false,
    sensitive = "auto",
    float16Below,
    rest = "float32",
    skip,
    only,
    ...grids
  } = given;
  const weighed = grids.clip === "imatrix";
  const ruleOf: WeightMethod["round"] =
    round ?? (weighed ? (model, ctx, planned) => importanceRound(name, model, ctx, planned) : undefined);
  const needs = weighed ? { needs: ["calibration", "ort"] as const } : {};
  const apply = async (original: Model, ctx: Context): Promise<Model> => {
    const model = withOpset(original, form === "DequantizeLinear", bits < FULL_BITS || typeof blockSize === "number");
    const all = layers(model);
    const options: PlanOptions = {
      bits,
      blockSize,
      symmetric,
      zeroPoint,
      form,
      embeddings,
      target,
      portable,
      sensitive: sensitive === "auto" ? sensitive : layerFilter(sensitive),
      float16Below: float16Below ?? smallLimit(all),
      smallTable: SMALL_TABLE_SHARE * weightsOf(all),
      readElsewhere: readElsewhere(all),
      opset: model.opsets.get("") ?? 1,
    };
    const plans = plansOf(name, all, options, { skip, only }, (layer, reason) =>
      ctx.report({ pass: name, layer: layer.name, action: "skipped", reason }),
    );
    let rule: Round | undefined;
    if (ruleOf) {
      const planned = new Map<Layer, GridOptions>();
      for (const [layer, plan] of plans) {
        checkAborted(name, ctx.signal);
        const final = await settled(layer, plan, options);
        plans.set(layer, final);
        const grid = gridOptionsOf(layer, final, options, grids.clip);
        if (grid) planned.set(layer, grid);
      }
      rule = await ruleOf(model, ctx, planned);
    }
    const fresh = freshNames(model);
    const books = codebooks(fresh);
    const result = await putPieces(model, ctx, {
      name,
      items: plans,
      pieces: (layer, plan) =>
        piecesOf(layer, plan, grids, options, { fresh, books, round: rule, kernels: ctx.kernels }),
      rest: async () => {
        if (rest !== "float16") return [];
        const weights = new Set(all.map((layer) => layer.weight.tensor));
        const constants = floatConstants(model).filter(({ tensor }) => !weights.has(tensor));
        return halfConstants(constants, fresh, () => checkAborted(name, ctx.signal));
      },
    });
    return result === model ? original : result;
  };
  return definePass({ name, stage, traits: { ...needs, ...traits }, apply });
};

import {
  checkAborted,
  definePass,
  EspalierError,
  type Layer,
  type LayerFilter,
  layerFilter,
  layers,
  type Model,
  type Node,
  type Pass,
  type Selection,
  sizeOf,
  storedBytes,
  unselected,
  upgradeOpset,
  type WeightPlace,
} from "@espalier/core";
import { freshNames, type Piece, pieceBytes } from "../export/piece.ts";
import { rewrite } from "../export/rewrite.ts";
import { readElsewhere } from "../other-readers.ts";
import { floatConstants, halfConstants } from "./half-constants.ts";
import { BLOCKED_OPSET, PER_AXIS_OPSET } from "./weight-fit.ts";
import { codebooks, type PieceOptions, piecesOf } from "./weight-pieces.ts";
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

const NAME = "quant/rtn";
/** Layers of at most so many weights are stored as float16, the smallest first, up to this share of all weights. */
const SMALL = 2048;
const SMALL_SHARE = 1 / 8;

/** Tables of at most this share of all weights keep 8 bits. */
const SMALL_TABLE_SHARE = 1 / 64;

const weightsOf = (all: readonly Layer[]): number => all.reduce((sum, { weight }) => sum + sizeOf(weight.dims), 0);

/**
 * The size up to which layers are stored as float16. The first convolutions of a network are its smallest and the most
 * sensitive: 512 of PP-OCRv4's 2.7 million weights make most of the error of 8 bits.
 */
const smallLimit = (all: readonly Layer[]): number => {
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
      NAME,
      `${refused.join(" ")} Choose another form or block, form: "auto", or skip these layers.`,
    );
  return plans;
};

/**
 * Weights-only quantization by rounding to nearest: no data, activations stay float.
 *
 *     w ≈ (code - zero) * scale      one scale a channel, block or row
 *
 * The form of each layer is chosen for the target: what a runtime decodes fast (`MatMulNBits`,
 * `GatherBlockQuantized`), or plain operators that onnxruntime folds when it loads the model. Layers that are left
 * alone are reported with the reason. Source: arXiv:2103.13630, sections III.B to III.F; blocks as in FORMATS 2.4.
 */
export const rtn = ({
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
}: RtnOptions = {}): Pass =>
  definePass({
    name: NAME,
    stage: "quantize",
    async apply(original, ctx) {
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
      const skipped = (layer: Layer, reason: string) =>
        ctx.report({ pass: NAME, layer: layer.name, action: "skipped", reason });
      const plans = plansOf(all, options, { skip, only }, skipped);
      const fresh = freshNames(model);
      const book = codebooks(fresh);
      const values = new Map<WeightPlace, Piece>();
      const nodes = new Map<Node, Piece>();
      const sweep = new Set<WeightPlace>();
      let done = 0;
      ctx.progress({ kind: "start", task: NAME, total: plans.size });
      for (const [layer, plan] of plans) {
        checkAborted(NAME, ctx.signal);
        const pieces = await piecesOf(layer, plan, grids, options, fresh, book, ctx.kernels);
        if (!pieces) {
          skipped(layer, "its weights are not all finite");
          continue;
        }
        const bytesBefore = storedBytes(layer.weight.tensor);
        const bytesAfter = pieceBytes((pieces.value ?? pieces.shared)!);
        ctx.progress({ kind: "step", task: NAME, done: ++done, total: plans.size, note: layer.name });
        if (bytesAfter >= bytesBefore) {
          skipped(layer, `would take ${bytesAfter} bytes for ${bytesBefore}`);
          continue;
        }
        if (pieces.value) values.set(layer.weight, pieces.value);
        for (const [node, piece] of pieces.nodes ?? []) nodes.set(node, piece);
        sweep.add(layer.weight);
        ctx.report({
          pass: NAME,
          layer: layer.name,
          action: "changed",
          form: pieces.form,
          ...(pieces.runtimes && { runtimes: pieces.runtimes }),
          bytesBefore,
          bytesAfter,
        });
      }
      ctx.progress({ kind: "end", task: NAME });
      if (rest === "float16") {
        const weights = new Set(all.map((layer) => layer.weight.tensor));
        const constants = floatConstants(model).filter(({ tensor }) => !weights.has(tensor));
        for (const [place, piece] of await halfConstants(constants, fresh, () => checkAborted(NAME, ctx.signal)))
          values.set(place, piece);
      }
      const result = rewrite(model, { values, nodes, sweep });
      return result === model ? original : result;
    },
  });

import { type Layer, sizeOf } from "@espalier/core";
import { channelViewOf } from "../export/channel-view.ts";
import { rowBlock } from "../export/gather-block-quantized.ts";
import { noTiedBlock, tiedUses } from "../export/tied-table.ts";
import { carrierOf } from "../grid/carried.ts";
import type { GridBits } from "../grid/grid.ts";
import type { Target, WeightForm } from "../support.ts";
import { noBlock, noDequantizeLinear, noMatMulNBits, noRowForm, rowsOf, unfit } from "./weight-fit.ts";

/** Widths that may be asked for; 7 bits are what `portable` makes of 8. */
export type WeightBits = Exclude<GridBits, 7>;

/** How one weight will be stored. */
export interface WeightPlan {
  readonly form: WeightForm;
  readonly bits: GridBits | 16;
  /** Columns that share a scale. */
  readonly blockSize: number;
  /** Keeps 8 bits where its values turn out to have heavy tails. */
  readonly judged?: boolean;
}

export interface PlanOptions {
  readonly bits: WeightBits;
  readonly blockSize: "auto" | "channel" | number;
  readonly symmetric: boolean;
  /** Zero points of asymmetric grids: whole numbers, or floats that fit the range closer. */
  readonly zeroPoint: "integer" | "float";
  readonly form: "auto" | WeightForm;
  readonly embeddings: "auto" | "float" | WeightForm;
  readonly target: Target;
  readonly portable: boolean;
  /** Layers that keep 8 bits where `bits` is lower; `auto` judges by kind and by values. */
  readonly sensitive: "auto" | ((layer: Layer) => boolean);
  /** Layers of at most so many weights are stored as float16. */
  readonly float16Below: number;
  /** Tables of at most so many weights keep 8 bits where `bits` is lower and `sensitive` is `auto`. */
  readonly smallTable: number;
  /** Layers whose weights must stay values, as others read them too. */
  readonly readElsewhere: ReadonlySet<Layer>;
  /** Version of the standard operators that the model imports. */
  readonly opset: number;
}

const BYTE = 8;
const HALF_BITS = 16;
/** Block of 4 and 2 bits where nothing is said; what transformers.js's q4 files have. */
const USUAL_BLOCK = 32;
/** Block of 8-bit convolutions, and the smallest that is worth its scales. Measured on PP-OCRv4. */
const CONV_BLOCK = 64;
/** The same where other layers have fewer bits, whose errors hide those of larger blocks. */
const KEPT_CONV_BLOCK = 128;
const SMALLEST_DECODED_BLOCK = 8;

/** The largest block of at most `wanted` columns that divides a row and fills whole bytes; undefined where none. */
export const dividingBlock = (columns: number, wanted: number, bits: number): number | undefined => {
  for (let block = Math.min(wanted, columns); block >= Math.min(SMALLEST_DECODED_BLOCK, columns); block--)
    if (columns % block === 0 && (block * bits) % BYTE === 0) return block;
  return undefined;
};

const blockOf = (layer: Layer, bits: number, { blockSize, bits: asked }: PlanOptions): number => {
  const [, columns] = rowsOf(layer);
  if (blockSize === "channel") return columns;
  if (blockSize !== "auto") return blockSize;
  if (bits < BYTE) return USUAL_BLOCK;
  if (layer.kind !== "conv") return columns;
  return asked < BYTE ? KEPT_CONV_BLOCK : CONV_BLOCK;
};

/** Decoding by folded operators: takes any layer, with 8 bits where the wanted ones do not fit its rows. */
export const decoded = (layer: Layer, bits: WeightBits, options: PlanOptions): WeightPlan => {
  const [, columns] = rowsOf(layer);
  const view = channelViewOf(layer);
  const block = dividingBlock(columns, blockOf(layer, bits, options), bits);
  if (bits < BYTE && block !== undefined) return { form: "decode", bits, blockSize: block };
  if (bits < BYTE) return decoded(layer, BYTE, { ...options, blockSize: "auto" });
  const whole = view.outer > 1 || block === undefined;
  return { form: "decode", bits: options.portable ? 7 : BYTE, blockSize: whole ? columns : block };
};

/** A form that was asked for by name, or why it does not fit. */
const asked = (layer: Layer, form: WeightForm, bits: WeightBits, options: PlanOptions): WeightPlan | string => {
  const [, columns] = rowsOf(layer);
  const wanted = blockOf(layer, bits, options);
  if (form === "float16") return { form, bits: HALF_BITS, blockSize: columns };
  if (form === "decode") return decoded(layer, bits, options);
  if (form === "DequantizeLinear")
    return (
      noDequantizeLinear(layer, bits, wanted, options.opset) ?? { form, bits, blockSize: Math.min(wanted, columns) }
    );
  if (form === "tiedTable") {
    const block = typeof options.blockSize === "number" ? options.blockSize : USUAL_BLOCK;
    const uses = tiedUses(layer);
    if (typeof uses === "string") return uses;
    const zeros = options.symmetric ? "none" : options.zeroPoint;
    return noTiedBlock(columns, block, zeros) ?? noBlock(block, form) ?? { form, bits, blockSize: block };
  }
  if (options.readElsewhere.has(layer)) return `its weight has other readers, and ${form} would store it twice`;
  // One scale a row, where nothing else was asked for, is a block that holds the row.
  const blockSize = wanted === columns && typeof options.blockSize !== "number" ? rowBlock(columns) : wanted;
  const floatZero8 = carrierOf(bits) === BYTE && !options.symmetric && options.zeroPoint === "float";
  if (form === "MatMulNBits") return noMatMulNBits(layer, blockSize, floatZero8) ?? { form, bits, blockSize };
  const reason = noRowForm(layer, form, bits, options.symmetric);
  return reason ?? { form, bits, blockSize: form === "gatherRows" ? columns : blockSize };
};

/**
 * Forms from the best to the one that always fits. Decoding alone stores 5 and 6 bits in fewer than 8, and 3 in fewer
 * than 4. Plain operators gather rows of 8 bits faster than
 * GatherBlockQuantized on processors: MiniLM in onnxruntime-node 0.99 × float against 1.04 ×.
 */
const preferred = (layer: Layer, bits: WeightBits, target: Target): readonly WeightForm[] => {
  const held = carrierOf(bits);
  if (held !== bits && (held === BYTE || target === "size")) return ["decode"];
  if (layer.kind === "embedding")
    return target === "webgpu" || bits < BYTE
      ? ["GatherBlockQuantized", "decode"]
      : ["gatherRows", "GatherBlockQuantized", "decode"];
  return bits < BYTE && target !== "web" ? ["MatMulNBits", "decode"] : ["decode"];
};

/**
 * Layers that lose much by fewer bits, or win little. Recurrent weights meet their own errors again at every step;
 * depthwise ones are few, and each output has few; a small table costs little in 8 bits, and gathers faster.
 */
export const alwaysSensitive = ({ kind, weight }: Layer, smallTable: number): boolean =>
  kind === "recurrent" ||
  (kind === "conv" && weight.dims[1] === 1) ||
  (kind === "embedding" && sizeOf(weight.dims) <= smallTable);

/** The form of a layer, or the reason why it is left as it is; `refused` where the user asked for what cannot be. */
export const planOf = (
  layer: Layer,
  options: PlanOptions,
): WeightPlan | { readonly reason: string; readonly refused?: boolean } => {
  const reason = unfit(layer);
  if (reason) return { reason };
  const table = layer.kind === "embedding";
  if (table && options.embeddings === "float") return { reason: 'embeddings: "float"' };
  const form = table ? (options.embeddings as "auto" | WeightForm) : options.form;
  if (form !== "auto") {
    const plan = asked(layer, form, options.bits, options);
    return typeof plan === "string" ? { reason: plan, refused: true } : plan;
  }
  const small = sizeOf(layer.weight.tensor.dims) <= options.float16Below && layer.weight.tensor.type === "float32";
  if (small) return { form: "float16", bits: HALF_BITS, blockSize: rowsOf(layer)[1] };
  const { sensitive } = options;
  const keeps =
    options.bits < BYTE && (sensitive === "auto" ? alwaysSensitive(layer, options.smallTable) : sensitive(layer));
  const bits = keeps ? BYTE : options.bits;
  const own: PlanOptions = keeps ? { ...options, blockSize: "auto", symmetric: true } : options;
  const chosen = preferred(layer, bits, options.target)
    .map((candidate) => asked(layer, candidate, bits, own))
    .find((plan) => typeof plan !== "string") as WeightPlan;
  return sensitive === "auto" && layer.kind === "conv" && chosen.bits < 7 ? { ...chosen, judged: true } : chosen;
};

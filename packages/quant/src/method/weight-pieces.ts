import { floatSource, floatValues, type Layer, type Node, type PassKernels, type ReportEntry } from "@espalier/core";
import { channelViewOf } from "../export/channel-view.ts";
import { decodeInt8 } from "../export/decode-int8.ts";
import { decodePacked } from "../export/decode-packed.ts";
import { dequantizeLinear } from "../export/dequantize-linear.ts";
import { storeHalf } from "../export/float16-storage.ts";
import { gatherBlockQuantized, gatherRows, rowWeights, tableWeights } from "../export/gather-block-quantized.ts";
import { matMulNBits, nbitsWeights } from "../export/matmul-nbits.ts";
import type { Names, Piece } from "../export/piece.ts";
import { halfIsSmaller } from "../export/scales.ts";
import { tiedNodes, tiedUses, tiedWeights } from "../export/tied-table.ts";
import { type Book, integerBooks } from "../export/unpack.ts";
import { allFinite } from "../grid/all-finite.ts";
import { balanceRows, kurtosis } from "../grid/balance.ts";
import { carried, carrierOf } from "../grid/carried.ts";
import { type Clip, type Grid, type GridBits, type GridOptions, isFiniteGrid } from "../grid/grid.ts";
import { quantizeChannels } from "../grid/quantize-channels.ts";
import { runtimesOf, type WeightForm } from "../support.ts";
import { rowsOf, rowValues } from "./weight-fit.ts";
import { decoded, type PlanOptions, type WeightPlan } from "./weight-plan.ts";

/** What stands for a layer: nodes that make its weight, or nodes in place of those that use it. */
export interface LayerPieces {
  /** What the report calls the form. */
  readonly form: string;
  readonly runtimes?: ReportEntry["runtimes"];
  /** What the report says of the form beside its name. */
  readonly note?: string;
  readonly value?: Piece;
  readonly nodes?: ReadonlyMap<Node, Piece>;
  /** Weights that the pieces of `nodes` share. */
  readonly shared?: Piece;
}

export interface PieceOptions {
  /**
   * Search for the scale with the least squared error of the weights, or take the extreme's. `imatrix` weighs each error
   * by the mean square of the input that its weight meets, and needs calibration data.
   */
  readonly clip?: Clip | "imatrix";
  /** MatMulNBits' attribute: 0 unset, 1 float32, 2 float16, 3 bfloat16, 4 int8 activations. */
  readonly accuracyLevel?: number;
  /** `balanced` keeps the sum of each row's errors near 0 (see `balanceRows`); `auto` does so for convolutions. */
  readonly rounding?: "auto" | "nearest" | "balanced";
}

/** Tables that unpack bytes, made when first asked for: those of a width once for a model. */
export const codebooks = (fresh: Names): ((bits: GridBits) => readonly Book[]) => {
  const made = new Map<number, readonly Book[]>();
  return (bits) => {
    const books = made.get(bits) ?? integerBooks(bits, fresh);
    made.set(bits, books);
    return books;
  };
};

/**
 * Kurtosis above which a convolution keeps 8 bits: few outliers would set the scale of all the others. A Gaussian
 * has 3. Measured on PP-OCRv4's recogniser: at 4 bits, convolutions under 10 move the output by at most 0.03
 * (relative L2) each, those above by 0.06 to 0.17.
 */
const HEAVY_TAILS = 10;
const BYTE = 8;
const HALF_BITS = 16;

/**
 * Makes the grid of a weight, [rows, columns], in place of rounding to nearest; undefined where it is not finite.
 *
 * @param rows not to be changed
 * @param grid what the grid must be like: its blocks, its zero points, the type of its scales
 */
export type Round = (
  rows: Float32Array,
  shape: { readonly rows: number; readonly columns: number },
  grid: GridOptions,
  layer: Layer,
) => Grid | undefined | Promise<Grid | undefined>;

/** What the pieces of a model share. */
export interface PieceTools {
  readonly fresh: Names;
  readonly books: (bits: GridBits) => readonly Book[];
  /** To nearest where there is none. */
  readonly round?: Round | undefined;
  readonly kernels?: PassKernels | undefined;
}

/** The plan with what the values decide decided. */
export const settled = async (layer: Layer, plan: WeightPlan, options: PlanOptions): Promise<WeightPlan> => {
  if (!plan.judged) return plan;
  const heavy = kurtosis(await rowValues(layer)) > HEAVY_TAILS;
  return heavy ? decoded(layer, BYTE, { ...options, blockSize: "auto" }) : { ...plan, judged: false };
};

/** The grid that a layer gets by a settled plan; undefined where it gets none. */
export const gridOptionsOf = (
  layer: Layer,
  { bits, blockSize }: WeightPlan,
  options: PlanOptions,
  clip: PieceOptions["clip"] = "none",
): (GridOptions & { readonly bits: GridBits; readonly blockSize: number }) | undefined => {
  if (bits === HALF_BITS) return undefined;
  const [channels, columns] = rowsOf(layer);
  const { name, tensor } = layer.weight;
  const scales = channels * Math.ceil(columns / blockSize);
  return {
    bits,
    blockSize,
    // Layers that keep 8 bits among fewer stay symmetric: offsets would buy them nothing.
    symmetric: options.symmetric || bits > options.bits,
    zeroPoint: options.zeroPoint,
    clip: clip === "imatrix" ? "mse" : clip,
    scaleType: tensor.type === "float16" || halfIsSmaller(scales, `${name}_s`) ? "float16" : "float32",
  };
};

/** A layer on the grid of a settled plan; undefined where its weights are not all finite. */
const gridOf = async (
  layer: Layer,
  gridOptions: GridOptions,
  rounding: PieceOptions["rounding"],
  { round, kernels }: PieceTools,
): Promise<Grid | undefined> => {
  const view = channelViewOf(layer);
  const { tensor } = layer.weight;
  const columns = view.outer * view.inner;
  const rows = () => rowValues(layer);
  if (round) {
    const grid = await round(await rows(), { rows: view.channels, columns }, gridOptions, layer);
    return grid && isFiniteGrid(grid) ? grid : undefined;
  }
  const balance = rounding === "auto" ? layer.kind === "conv" : rounding === "balanced";
  // not read at once where kernels can read it piece by piece
  const source = balance ? undefined : floatSource(tensor);
  if (source) {
    const grid = await quantizeChannels(source, view, gridOptions, kernels, rows);
    return isFiniteGrid(grid) ? grid : undefined;
  }
  const values = await rows();
  const whole = { ...view, outer: 1, inner: columns };
  const grid = await quantizeChannels(values, whole, gridOptions, kernels, async () => values);
  if (!isFiniteGrid(grid)) return undefined;
  return balance ? balanceRows(values, grid) : grid;
};

/** What the report calls a form: "decode 4 bits, block 32", "MatMulNBits 3 bits in 4, block 128". */
const formName = (form: WeightForm, bits: GridBits, block: number | undefined): string => {
  const held = form === "decode" || bits === 7 ? bits : carrierOf(bits);
  return `${form} ${bits} bits${held === bits ? "" : ` in ${held}`}${block === undefined ? "" : `, block ${block}`}`;
};

const NOT_FINITE = "its weights are not all finite";

/** What stands for one layer by its plan, or the reason why nothing does. */
export const piecesOf = async (
  layer: Layer,
  judgedPlan: WeightPlan,
  { accuracyLevel, rounding = "auto", clip }: PieceOptions,
  options: PlanOptions,
  tools: PieceTools,
): Promise<LayerPieces | string> => {
  const { fresh, books } = tools;
  const view = channelViewOf(layer);
  const { name, tensor } = layer.weight;
  const type = tensor.type as "float32" | "float16";
  const columns = view.outer * view.inner;
  const plan = await settled(layer, judgedPlan, options);
  const { form, bits, blockSize } = plan;
  const done = (pieces: Omit<LayerPieces, "form">): LayerPieces => ({
    ...pieces,
    ...runtimesOf(form, bits, layer.kind),
    form: bits === HALF_BITS ? form : formName(form, bits, blockSize < columns ? blockSize : undefined),
  });
  const gridOptions = gridOptionsOf(layer, plan, options, clip);
  if (!gridOptions) {
    const values = await floatValues(tensor);
    return allFinite(values) ? done({ value: storeHalf(name, tensor.dims, values, fresh) }) : NOT_FINITE;
  }
  const exact = await gridOf(layer, gridOptions, rounding, tools);
  if (!exact) return NOT_FINITE;
  const weight = { name, dims: tensor.dims, type };
  if (form === "decode") {
    const packed = bits < 7;
    const value = packed
      ? decodePacked(weight, exact, view, books(exact.bits), fresh)
      : decodeInt8(weight, exact, view, fresh);
    return done({ value });
  }
  const grid = carried(exact);
  if (form === "DequantizeLinear") return done({ value: dequantizeLinear(weight, grid, view, fresh) });
  const tied = form === "tiedTable" ? tiedUses(layer) : undefined;
  if (typeof tied === "object") {
    const shared = tiedWeights(name, grid, type, fresh);
    return done({ nodes: tiedNodes(tied, shared, grid, type, fresh, { accuracyLevel }), shared });
  }
  const weights =
    form === "MatMulNBits"
      ? nbitsWeights(name, grid, type, fresh)
      : form === "gatherRows"
        ? rowWeights(name, grid, fresh)
        : tableWeights(name, grid, type, fresh);
  const pieceFor = (node: Node): Piece => {
    const use = { name: node.name, output: node.outputs[0]!, type };
    if (form === "gatherRows") return gatherRows({ ...use, indices: node.inputs[1]! }, weights, fresh);
    if (form === "GatherBlockQuantized")
      return gatherBlockQuantized({ ...use, indices: node.inputs[1]! }, weights, grid);
    const bias = node.opType === "Gemm" && node.inputs[2] ? { bias: node.inputs[2] } : {};
    return matMulNBits({ ...use, input: node.inputs[0]!, ...bias }, weights, grid, fresh, { accuracyLevel });
  };
  return done({
    nodes: new Map(layer.uses.map(({ node }) => [node, { ...pieceFor(node), shared: [weights] }])),
    shared: weights,
  });
};

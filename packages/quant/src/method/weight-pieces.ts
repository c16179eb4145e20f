import { floatSource, floatValues, type Layer, type Node, type PassKernels, type ReportEntry } from "@espalier/core";
import { channelViewOf, gatherChannels } from "../export/channel-view.ts";
import { decodeInt8 } from "../export/decode-int8.ts";
import { type Codebook, codebook, decodePacked } from "../export/decode-packed.ts";
import { dequantizeLinear } from "../export/dequantize-linear.ts";
import { storeHalf } from "../export/float16-storage.ts";
import { gatherBlockQuantized, gatherRows, rowWeights, tableWeights } from "../export/gather-block-quantized.ts";
import { matMulNBits, nbitsWeights } from "../export/matmul-nbits.ts";
import type { Names, Piece } from "../export/piece.ts";
import { halfIsSmaller } from "../export/scales.ts";
import { allFinite } from "../grid/all-finite.ts";
import { balanceRows, kurtosis } from "../grid/balance.ts";
import { type Clip, type GridOptions, isFiniteGrid } from "../grid/grid.ts";
import { quantizeChannels } from "../grid/quantize-channels.ts";
import { runtimesOf } from "../support.ts";
import { decoded, type PlanOptions, type WeightPlan } from "./weight-plan.ts";

/** What stands for a layer: nodes that make its weight, or nodes in place of those that use it. */
export interface LayerPieces {
  /** What the report calls the form. */
  readonly form: string;
  readonly runtimes?: ReportEntry["runtimes"];
  readonly value?: Piece;
  readonly nodes?: ReadonlyMap<Node, Piece>;
  /** Weights that the pieces of `nodes` share. */
  readonly shared?: Piece;
}

export interface PieceOptions {
  /** Search for the scale with the least squared error of the weights, or take the extreme's. */
  readonly clip?: Clip;
  /** MatMulNBits' attribute: 0 unset, 1 float32, 2 float16, 3 bfloat16, 4 int8 activations. */
  readonly accuracyLevel?: number;
  /** `balanced` keeps the sum of each row's errors near 0 (see `balanceRows`); `auto` does so for convolutions. */
  readonly rounding?: "auto" | "nearest" | "balanced";
}

/** Tables that unpack bytes, made when first asked for: one a width for a model. */
export const codebooks = (fresh: Names): ((bits: 4 | 2) => Codebook) => {
  const made = new Map<number, Codebook>();
  return (bits) => {
    const book = made.get(bits) ?? codebook(bits, fresh);
    made.set(bits, book);
    return book;
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

/** Quantizes one layer by its plan; undefined where its weights are not all finite. */
export const piecesOf = async (
  layer: Layer,
  plan: WeightPlan,
  { accuracyLevel, rounding = "auto", clip = "none" }: PieceOptions,
  options: PlanOptions,
  fresh: Names,
  book: (bits: 4 | 2) => Codebook,
  kernels?: PassKernels,
): Promise<LayerPieces | undefined> => {
  const view = channelViewOf(layer);
  const { name, tensor } = layer.weight;
  const type = tensor.type as "float32" | "float16";
  let gathered: Float32Array | undefined;
  const rows = async () => {
    gathered ??= gatherChannels(await floatValues(tensor), view);
    return gathered;
  };
  const columns = view.outer * view.inner;
  const { form, bits, blockSize } =
    plan.judged && kurtosis(await rows()) > HEAVY_TAILS
      ? decoded(layer, BYTE, { ...options, blockSize: "auto" })
      : plan;
  const done = (pieces: Omit<LayerPieces, "form">): LayerPieces => ({
    ...pieces,
    ...runtimesOf(form, bits, layer.kind),
    form: bits === HALF_BITS ? form : `${form} ${bits} bits${blockSize < columns ? `, block ${blockSize}` : ""}`,
  });
  if (bits === HALF_BITS) {
    const values = await floatValues(tensor);
    return allFinite(values) ? done({ value: storeHalf(name, tensor.dims, values, fresh) }) : undefined;
  }
  const balance = rounding === "auto" ? layer.kind === "conv" : rounding === "balanced";
  const scales = view.channels * Math.ceil(columns / blockSize);
  const gridOptions: GridOptions = {
    bits,
    blockSize,
    // Layers that keep 8 bits among fewer stay symmetric: offsets would buy them nothing.
    symmetric: options.symmetric || bits > options.bits,
    zeroPoint: options.zeroPoint,
    clip,
    scaleType: type === "float16" || halfIsSmaller(scales, `${name}_s`) ? "float16" : "float32",
  };
  // not read at once where kernels can read it piece by piece
  const source = balance || gathered ? undefined : floatSource(tensor);
  const rounded = source
    ? await quantizeChannels(source, view, gridOptions, kernels, rows)
    : await quantizeChannels(await rows(), { ...view, outer: 1, inner: columns }, gridOptions, kernels, rows);
  if (!isFiniteGrid(rounded)) return undefined;
  const grid = balance ? balanceRows(await rows(), rounded) : rounded;
  const weight = { name, dims: tensor.dims, type };
  if (form === "decode") {
    const packed = grid.bits === 4 || grid.bits === 2;
    const value = packed
      ? decodePacked(weight, grid, view, book(grid.bits as 4 | 2), fresh)
      : decodeInt8(weight, grid, view, fresh);
    return done({ value });
  }
  if (form === "DequantizeLinear") return done({ value: dequantizeLinear(weight, grid, view, fresh) });
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

import { type Context, definePass, type Layer, type Model, type Node, type Pass, upgradeOpset } from "@espalier/core";
import { channelViewOf } from "../export/channel-view.ts";
import { decodeValues, SLICE_OPSET } from "../export/decode-values.ts";
import { dequantizeFloat8, FLOAT8_OPSET } from "../export/dequantize-float8.ts";
import { type Bnb4Format, bnb4Weights, matMulBnb4 } from "../export/matmul-bnb4.ts";
import { freshNames, type Names, type Piece } from "../export/piece.ts";
import { halfIsSmaller } from "../export/scales.ts";
import { type SharedTables, sharedTables } from "../export/tables.ts";
import { allFinite } from "../grid/all-finite.ts";
import type { Clip } from "../grid/grid.ts";
import { quantizeValues } from "../grid/quantize-values.ts";
import { formatOptions, type ValueFormat } from "../grid/value-formats.ts";
import type { ValueGrid } from "../grid/value-grid.ts";
import { runtimesOf } from "../support.ts";
import { type ChosenLayers, chosenLayers, type Planned } from "./chosen-layers.ts";
import { putPieces } from "./put-pieces.ts";
import { noBlock, noProduct, rowsOf, rowValues } from "./weight-fit.ts";
import type { LayerPieces } from "./weight-pieces.ts";
import { dividingBlock } from "./weight-plan.ts";

/** How a weight on a grid of given values stands in the file. */
export type ValueForm =
  /** Codes, and operators that decode them, which onnxruntime folds when it loads the model. */
  | "decode"
  /** com.microsoft MatMulBnb4; NF4 and bitsandbytes' FP4. */
  | "MatMulBnb4"
  /** ONNX DequantizeLinear of float8, opset 19; one scale a channel. */
  | "DequantizeLinear";

export interface ValueOptions extends ChosenLayers {
  /** Columns that share a scale. */
  readonly blockSize?: number | "channel";
  /** Scale of the extreme, or the one of those tried that has the least squared error. */
  readonly clip?: Clip;
}

export interface ValueMethod {
  /** "quant/nf4" */
  readonly name: string;
  /** Name of the grid; one that `formatOptions` knows, or one of its own with `quantize`. */
  readonly format: ValueFormat | "binary";
  readonly quantize?: (
    w: Float32Array,
    rows: number,
    columns: number,
    plan: { readonly blockSize: number; readonly half: boolean; readonly layer: Layer; readonly ctx: Context },
  ) => ValueGrid;
  readonly options: ValueOptions;
  readonly blockSize: number | "channel";
  readonly doubleQuant?: boolean;
  /** Forms from the best to the last; one that was asked for is alone. */
  readonly forms: readonly ValueForm[];
}

interface ValuePlan {
  readonly form: ValueForm;
  readonly blockSize: number;
}

/** Said of what is decoded when the model is loaded. */
export const IN_FLOAT = "decoded when the model is loaded: float's memory when it runs";

const bitsOf = (format: ValueMethod["format"]): number =>
  format === "binary" ? 1 : format === "e4m3" || format === "e5m2" ? 8 : 4;

const planWith = (
  layer: Layer,
  form: ValueForm,
  wanted: number,
  format: ValueMethod["format"],
  shared: boolean,
): ValuePlan | string => {
  const [, columns] = rowsOf(layer);
  if (form === "DequantizeLinear") {
    if (layer.kind === "recurrent" || (layer.node.opType === "ConvTranspose" && layer.groups > 1))
      return "its output channels lie on two axes, and DequantizeLinear has one";
    return wanted >= columns ? { form, blockSize: columns } : "DequantizeLinear of float8 has one scale a channel here";
  }
  if (form === "decode") {
    const block = dividingBlock(columns, wanted, bitsOf(format));
    return block === undefined ? `${columns} columns have no block that fills whole bytes` : { form, blockSize: block };
  }
  if (shared) return `its weight has other readers, and ${form} would store it twice`;
  const reason = noProduct(layer, form) ?? noBlock(wanted, form);
  if (reason) return reason;
  return columns % wanted === 0
    ? { form, blockSize: wanted }
    : `has ${columns} input columns, which blockSize ${wanted} does not divide, and blocks of ${form} run on into the next row`;
};

const planOf = (layer: Layer, { forms, format, blockSize }: ValueMethod, shared: boolean) => {
  const [, columns] = rowsOf(layer);
  const wanted = blockSize === "channel" ? columns : blockSize;
  const tried = forms.map((form) => planWith(layer, form, wanted, format, shared));
  const plan = tried.find((one) => typeof one !== "string");
  return (plan ?? { reason: tried[0], refused: forms.length === 1 && forms[0] !== "decode" }) as Planned<ValuePlan>;
};

interface Tools {
  readonly ctx: Context;
  readonly tables: SharedTables;
  readonly fresh: Names;
}

const piecesOf = async (
  layer: Layer,
  { form, blockSize }: ValuePlan,
  { format, options, quantize, doubleQuant = false }: ValueMethod,
  { ctx, tables, fresh }: Tools,
): Promise<LayerPieces | string> => {
  const view = channelViewOf(layer);
  const { name, tensor } = layer.weight;
  const type = tensor.type as "float32" | "float16";
  const columns = view.outer * view.inner;
  const w = await rowValues(layer);
  if (!allFinite(w)) return "its weights are not all finite";
  const scales = (view.channels * columns) / blockSize;
  const half = halfIsSmaller(scales, `${name}_s`);
  const grid = quantize
    ? quantize(w, view.channels, columns, { blockSize, half, layer, ctx })
    : quantizeValues(
        w,
        view.channels,
        columns,
        formatOptions(format as ValueFormat, { blockSize, clip: options.clip, half, doubleQuant }),
      );
  const done = (pieces: Omit<LayerPieces, "form">): LayerPieces => ({
    form: `${form} ${format}${doubleQuant ? ", double" : ""}${blockSize < columns ? `, block ${blockSize}` : ""}`,
    ...runtimesOf(form === "DequantizeLinear" ? "float8" : form, bitsOf(format), layer.kind),
    ...(form === "decode" && { note: IN_FLOAT }),
    ...pieces,
  });
  const weight = { name, dims: tensor.dims, type };
  if (form === "DequantizeLinear")
    return done({ value: dequantizeFloat8(weight, grid, format === "e5m2" ? format : "e4m3", view, fresh) });
  if (form === "decode") return done({ value: decodeValues(weight, grid, view, format, tables, fresh) });
  const weights = bnb4Weights(name, grid, type, tables, fresh);
  const pieceFor = (node: Node): Piece => {
    const bias = node.opType === "Gemm" && node.inputs[2] ? { bias: node.inputs[2] } : {};
    const use = { name: node.name, output: node.outputs[0]!, input: node.inputs[0]!, type, ...bias };
    return matMulBnb4(use, weights, grid, format as Bnb4Format, fresh);
  };
  return done({
    nodes: new Map(layer.uses.map(({ node }) => [node, { ...pieceFor(node), shared: [weights] }])),
    shared: weights,
  });
};

/** A pass that stores weights on a grid of given values; activations stay float, and no data is needed. */
export const valuePass = (method: ValueMethod): Pass => {
  const { name, forms, doubleQuant, options } = method;
  const apply = async (original: Model, ctx: Context): Promise<Model> => {
    const needed = forms[0] === "DequantizeLinear" ? FLOAT8_OPSET : doubleQuant ? SLICE_OPSET : 0;
    const model = (original.opsets.get("") ?? 1) < needed ? upgradeOpset(original, needed) : original;
    const items = chosenLayers(name, model, ctx, options, (layer, shared) => planOf(layer, method, shared));
    const fresh = freshNames(model);
    const tools = { ctx, tables: sharedTables(fresh), fresh };
    const result = await putPieces(model, ctx, {
      name,
      items,
      pieces: (layer, plan) => piecesOf(layer, plan, method, tools),
    });
    return result === model ? original : result;
  };
  return definePass({ name, stage: "quantize", apply });
};

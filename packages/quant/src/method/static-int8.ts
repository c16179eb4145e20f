import {
  consumers,
  floatValues,
  fold,
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
  type Tensor,
  unselected,
  upgradeOpset,
} from "@espalier/core";
import { checkAborted } from "../abort.ts";
import { channelViewOf, gatherChannels } from "../export/channel-view.ts";
import { dequantizeLinear } from "../export/dequantize-linear.ts";
import { freshNames, type Piece, pieceBytes } from "../export/piece.ts";
import { activationPair, biasPiece } from "../export/qdq.ts";
import { rewrite } from "../export/rewrite.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { readElsewhere } from "../other-readers.ts";
import { type Calibrator, rangeOf } from "../range/calibrators.ts";
import { emptyRange, type RangeStats, updateRange } from "../range/histogram.ts";
import { rtn } from "./rtn.ts";
import { PER_AXIS_OPSET } from "./weight-fit.ts";

export interface StaticInt8Options extends Selection {
  /**
   * Layers that are stored in 8 bits and computed in float: `auto` (depthwise and small ones), none, or names,
   * operators, globs, a function.
   */
  readonly float?: "auto" | "none" | LayerFilter;
  /** How the range of an activation is chosen from the calibration data. */
  readonly calibrator?: Calibrator;
  /** Weights of 7 bits: without VNNI, kernels for uint8 × int8 add pairs in 16 bits, which 8 bits overflow. */
  readonly portable?: boolean;
  /** Embedding tables: 8 bits with one scale a row, or left as they are. */
  readonly embeddings?: boolean;
}

const NAME = "quant/static-int8";

/** The model whose layers are quantized: BatchNormalization folded, per-channel DequantizeLinear available. */
const prepared = (model: Model): Promise<Model> =>
  fold((model.opsets.get("") ?? 1) < PER_AXIS_OPSET ? upgradeOpset(model, PER_AXIS_OPSET) : model);

/** A layer that can run on integers, and the value at which its result is quantized: after the Relu behind it. */
interface Place {
  readonly layer: Layer;
  readonly node: Node;
  readonly last: Node;
}

/** Why a layer cannot run on fixed integers, or undefined where it can. */
const unfit = (layer: Layer, elsewhere: ReadonlySet<string>): string | undefined => {
  const { kind, weight, uses, node, path } = layer;
  if (node.opType !== "Conv" && node.opType !== "MatMul")
    return `${node.opType} has no integer kernel worth its conversions`;
  if (weight.tensor.type !== "float32") return `its weights are ${weight.tensor.type}`;
  if (uses.length > 1 || elsewhere.has(weight.name)) return "its weight has other readers";
  if (path.length > 0) return "it is inside a subgraph";
  if (kind === "linear" && (uses[0].index !== 1 || weight.tensor.dims.length !== 2))
    return "its weight is no matrix on the right";
  return node.inputs[uses[0].index] === weight.name ? undefined : "its weight comes through other operators";
};

/** Few weights, few terms in each sum, and channels of very different ranges under one activation scale. */
const isDepthwise = ({ kind, weight }: Layer) => kind === "conv" && weight.dims[1] === 1;

/**
 * Layers of at most so many weights, and of at most this share of all, are computed in float: the first convolutions
 * of a network are small and sensitive. On PP-OCRv4's recogniser that takes character errors from 6.4 to 4.6 %.
 */
const SMALL = 4096;
const SMALL_SHARE = 1 / 64;

const keptFloat = (
  float: NonNullable<StaticInt8Options["float"]>,
  all: readonly Layer[],
): ((layer: Layer) => boolean) => {
  if (float === "none") return () => false;
  if (float !== "auto") return layerFilter(float);
  const weights = ({ weight }: Layer) => sizeOf(weight.dims);
  const limit = Math.min(SMALL, SMALL_SHARE * all.reduce((sum, layer) => sum + weights(layer), 0));
  return (layer) => isDepthwise(layer) || weights(layer) <= limit;
};

interface PlaceOptions extends Selection {
  readonly float: NonNullable<StaticInt8Options["float"]>;
}

const placesOf = (model: Model, { skip, only, float }: PlaceOptions) => {
  const all = layers(model);
  const isFloat = keptFloat(float, all);
  const elsewhere = readElsewhere(model, all);
  const reasonOf = unselected({ skip, only });
  const readers = consumers(model.graph);
  const outputs = new Set(model.graph.outputs.map(({ name }) => name));
  const places: Place[] = [];
  const refused: { layer: Layer; reason: string }[] = [];
  for (const layer of all) {
    if (reasonOf(layer) !== undefined) continue;
    const reason = isFloat(layer)
      ? `computed in float (float: ${typeof float === "string" ? float : "by choice"})`
      : unfit(layer, elsewhere);
    if (reason !== undefined) {
      if (layer.kind !== "embedding") refused.push({ layer, reason });
      continue;
    }
    const output = layer.node.outputs[0]!;
    const next = readers.get(output) ?? [];
    const relu =
      next.length === 1 && !outputs.has(output) && next[0]!.node.opType === "Relu" ? next[0]!.node : undefined;
    places.push({ layer, node: layer.node, last: relu ?? layer.node });
  }
  return { places, refused };
};

/** Convolutions have a kernel that gives integers; the one of MatMul gives floats, which need no range. */
const valuesOf = ({ node, last }: Place): readonly string[] =>
  node.opType === "Conv" ? [node.inputs[0]!, last.outputs[0]!] : [node.inputs[0]!];

/** The values that exist in a graph. */
const madeIn = ({ graph }: Model): ReadonlySet<string> =>
  new Set([...graph.inputs.map(({ name }) => name), ...graph.nodes.flatMap(({ outputs }) => outputs)]);

/**
 * Static quantization: convolutions and matrix products with integers, with activation ranges fixed from calibration
 * data, in the QDQ form that runtimes make integer kernels of. BatchNormalization is folded first, a Relu belongs to
 * the range of the layer before it, biases are int32 at the scale of the sums. What stays float is stored in 8 bits.
 *
 *     x ≈ (xq - zx) * sx   uint8, one range a value      W ≈ Wq * sw   int8, one scale an output      b ≈ bq * sx sw
 *
 * Masks (beyond 10,000) stay out of the ranges. Sources: arXiv:1712.05877; arXiv:2004.09602.
 */
export const staticInt8 = ({
  calibrator = "mse",
  portable = false,
  embeddings = true,
  float = "auto",
  skip,
  only,
}: StaticInt8Options = {}): Pass<RangeStats> => ({
  name: NAME,
  stage: "quantize",
  traits: { needs: ["calibration", "ort"] },
  observe: {
    async values(model) {
      const { places } = placesOf(await prepared(model), { skip, only, float });
      const made = madeIn(model);
      return [...new Set(places.flatMap(valuesOf))].filter((name) => made.has(name));
    },
    init: emptyRange,
    update(stats: RangeStats, x: Tensor) {
      if (x.type === "float32" && "data" in x) updateRange(stats, x.data as Float32Array);
    },
  },
  async apply(original, ctx, stats) {
    const model = await prepared(original);
    const { places, refused } = placesOf(model, { skip, only, float });
    for (const { layer, reason } of refused)
      ctx.report({ pass: NAME, layer: layer.name, action: "note", reason: `only stored in 8 bits: ${reason}` });
    const fresh = freshNames(model);
    const values = new Map<string, Piece>();
    const nodes = new Map<Node, Piece>();
    const sweep = new Set<string>();
    const inPairs = new Map<string, string>();
    const ranges = (name: string) => rangeOf(stats.get(name)!, calibrator);
    const usable = places.filter((place) => {
      const missing = valuesOf(place).find((name) => (stats.get(name)?.count ?? 0) === 0);
      if (missing !== undefined)
        ctx.report({
          pass: NAME,
          layer: place.layer.name,
          action: "note",
          reason: `only stored in 8 bits: no calibration data reached "${missing}"`,
        });
      return missing === undefined;
    });
    for (const { node, last } of usable) if (node.opType === "Conv") inPairs.set(last.outputs[0]!, last.outputs[0]!);
    for (const { layer, node, last } of usable) {
      checkAborted(NAME, ctx.signal);
      const { tensor, name } = layer.weight;
      const view = channelViewOf(layer);
      const columns = view.outer * view.inner;
      const grid = quantizeRows(gatherChannels(await floatValues(tensor), view), view.channels, columns, {
        bits: portable ? 7 : 8,
        blockSize: columns,
        symmetric: true,
        scaleType: "float32",
      });
      const input = node.inputs[0]!;
      const known = inPairs.get(input);
      const quantized = known ?? fresh(`${input}_d`);
      const pair = known ? undefined : activationPair(input, quantized, ranges(input), fresh);
      inPairs.set(input, quantized);
      const weight = dequantizeLinear({ name, dims: tensor.dims, type: "float32" }, grid, view, fresh);
      values.set(name, weight);
      const biasName = node.opType === "Conv" ? node.inputs[2] : undefined;
      const bias = biasName ? model.graph.weights.get(biasName) : undefined;
      const biased = bias && biasPiece(biasName!, await floatValues(bias), grid, ranges(input), fresh);
      if (biasName && biased) sweep.add(biasName);
      const inputs = [quantized, name, ...(biasName ? [biased?.value ?? biasName] : [])];
      const output = last.outputs[0]!;
      const closes = node.opType === "Conv";
      const raw = closes ? fresh(`${output}_r`) : output;
      const end = closes ? activationPair(raw, output, ranges(output), fresh) : undefined;
      const rename = (of: Node): readonly string[] => (of === last ? [raw] : of.outputs);
      const parts = [pair, biased].filter((piece) => piece !== undefined);
      const weightsOf = (pieces: readonly (Piece | undefined)[]) =>
        new Map(pieces.flatMap((piece) => [...(piece?.weights ?? [])]));
      const own: Node = { ...node, inputs, outputs: rename(node) };
      const after = last === node ? end : undefined;
      nodes.set(node, {
        nodes: [...parts.flatMap((piece) => piece.nodes), own, ...(after?.nodes ?? [])],
        weights: weightsOf([...parts, after]),
      });
      if (last !== node)
        nodes.set(last, { nodes: [{ ...last, outputs: [raw] }, ...(end?.nodes ?? [])], weights: weightsOf([end]) });
      const bytesAfter = pieceBytes(weight);
      ctx.report({
        pass: NAME,
        layer: layer.name,
        action: "changed",
        form: `QDQ ${node.opType} uint8 × int8 per channel`,
        bytesBefore: storedBytes(tensor),
        bytesAfter,
      });
    }
    const integers = rewrite(model, { values, nodes, sweep });
    const rest = rtn({ portable, embeddings: embeddings ? "auto" : "float", skip, only });
    return rest.apply(integers, { ...ctx, report: (entry) => ctx.report({ ...entry, pass: NAME }) }, new Map());
  },
});

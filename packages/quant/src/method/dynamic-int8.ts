import {
  attrs,
  checkAborted,
  definePass,
  floatValues,
  type Layer,
  type Model,
  type Node,
  type Pass,
  type Selection,
  storedBytes,
  upgradeOpset,
  type WeightPlace,
} from "@espalier/core";
import { channelViewOf, gatherChannels } from "../export/channel-view.ts";
import { dynamicAttention } from "../export/dynamic-attention.ts";
import { dynamicConv } from "../export/dynamic-conv.ts";
import { DYNAMIC_OPSET, type DynamicInput, dynamicInput } from "../export/dynamic-input.ts";
import { dynamicLstm } from "../export/dynamic-lstm.ts";
import { dynamicMatMul } from "../export/dynamic-matmul.ts";
import {
  type IntegerLayout,
  type IntegerType,
  type IntegerWeights,
  integerWeights,
} from "../export/integer-weights.ts";
import { freshNames, type Names, type Piece, pieceBytes } from "../export/piece.ts";
import { rewrite } from "../export/rewrite.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { type DynamicKind, dynamicPlaces } from "./dynamic-places.ts";
import { restInEightBits } from "./rest.ts";

export interface DynamicInt8Options extends Selection {
  /** Type of the weights that meet integer activations; those of convolutions are always uint8. */
  readonly weightType?: IntegerType;
  /** One scale for each output, or one for the whole weight. */
  readonly perChannel?: boolean;
  /**
   * `float`: stored in 8 bits, computed at float's speed. `integer`: ConvInteger, which is slower (1.2 × float on
   * PP-OCRv4), for runtimes that are quick at it.
   */
  readonly convolutions?: "float" | "integer";
  /** Weights of 7 bits: without VNNI, kernels for uint8 × int8 add pairs in 16 bits, which 8 bits overflow. */
  readonly portable?: boolean;
  /** Embedding tables: 8 bits with one scale a row, or left as they are. */
  readonly embeddings?: boolean;
}

const NAME = "quant/dynamic-int8";

const operators: Readonly<Record<DynamicKind, string>> = {
  matmul: "MatMulInteger",
  conv: "ConvInteger",
  lstm: "DynamicQuantizeLSTM",
  attention: "QAttention",
};

/** How the operators of a kind want the weights of a layer: rows of the grid, and their layout. */
const layoutOf = (
  { weight: { tensor, dims } }: Layer,
  kind: DynamicKind,
  perChannel: boolean,
  type: IntegerType,
): IntegerLayout & { readonly rows: number } => {
  const [out, inputs] = [dims[0]!, dims[1]!];
  if (kind === "conv") {
    const scaleDims = [out, ...dims.slice(2).map(() => 1)];
    return { type: "uint8", dims: tensor.dims, scaleDims: perChannel ? scaleDims : [], rows: perChannel ? out : 1 };
  }
  if (kind === "lstm") {
    const directions = tensor.dims[0]!;
    const gates = out / directions;
    const scaleDims = perChannel ? [directions, gates] : [directions];
    return {
      type,
      dims: [directions, inputs, gates],
      from: [directions, gates, inputs],
      order: [0, 2, 1],
      scaleDims,
      zeroDims: scaleDims,
      rows: perChannel ? out : directions,
    };
  }
  const scaleDims = perChannel ? [out] : [];
  const turned = { dims: [inputs, out], from: [out, inputs], order: [1, 0] };
  return {
    type,
    ...turned,
    scaleDims,
    ...(kind === "attention" && { zeroDims: scaleDims }),
    rows: perChannel ? out : 1,
  };
};

/** Nodes of all graphs in the order in which they run, with the path of their graph. */
const inOrder = (model: Model): { readonly node: Node; readonly path: string }[] => {
  const found: { node: Node; path: string }[] = [];
  let graphs = 0;
  const visit = (nodes: readonly Node[]) => {
    const path = String(graphs++);
    for (const node of nodes) {
      found.push({ node, path });
      for (const { graph } of attrs.subgraphsOf(node)) visit(graph.nodes);
    }
  };
  visit(model.graph.nodes);
  return found;
};

/** What stands in place of the nodes whose weights are on integers; the first reader of a value quantizes it. */
const piecesOf = (
  model: Model,
  weights: ReadonlyMap<Layer, { readonly kind: DynamicKind; readonly weights: IntegerWeights }>,
  fresh: Names,
): ReadonlyMap<Node, Piece> => {
  const layersOf = new Map<Node, Layer[]>();
  for (const layer of weights.keys())
    for (const { node, index } of layer.uses) {
      const slots = layersOf.get(node) ?? [];
      slots[index] = layer;
      layersOf.set(node, slots);
    }
  const inputs = new Map<string, DynamicInput>();
  const pieces = new Map<Node, Piece>();
  for (const { node, path } of inOrder(model)) {
    const [, first, second] = layersOf.get(node) ?? [];
    if (!first) continue;
    const { kind, weights: own } = weights.get(first)!;
    if (kind === "lstm") {
      pieces.set(node, dynamicLstm(node, own, weights.get(second!)!.weights));
      continue;
    }
    const key = JSON.stringify([path, node.inputs[0]]);
    const known = inputs.get(key);
    const quantized = known ? undefined : dynamicInput(node.inputs[0]!, fresh);
    const input = known ?? quantized!.input;
    inputs.set(key, input);
    const { dims } = first.weight;
    const piece =
      kind === "matmul"
        ? dynamicMatMul(node, input, own, fresh)
        : kind === "conv"
          ? dynamicConv(node, dims.length, input, own, fresh)
          : dynamicAttention(node, dims[0]!, input, own, fresh);
    pieces.set(node, { ...piece, nodes: [...(quantized ? [quantized.node] : []), ...piece.nodes] });
  }
  return pieces;
};

/**
 * Dynamic quantization: linear layers, LSTM and onnxruntime's Attention multiply integers, with activations quantized
 * by their own range at every run, so no data is needed. Everything else is stored in 8 bits and computed in float, as
 * `rtn` does: convolutions unless asked for, other recurrent layers, and embeddings by row.
 *
 *     x ≈ (xq - xz) * xs   (uint8, one range a value)      W ≈ Wq * ws   (one scale an output)
 *
 * Layers that share an input share its quantization. Source: arXiv:2103.13630, section III.C.
 */
export const dynamicInt8 = ({
  weightType = "int8",
  perChannel = true,
  convolutions = "float",
  portable = false,
  embeddings = true,
  skip,
  only,
}: DynamicInt8Options = {}): Pass =>
  definePass({
    name: NAME,
    stage: "quantize",
    async apply(original, ctx) {
      const model = (original.opsets.get("") ?? 1) < DYNAMIC_OPSET ? upgradeOpset(original, DYNAMIC_OPSET) : original;
      const { fits, refused } = dynamicPlaces(model, { skip, only, convolutions });
      const fresh = freshNames(model);
      const made = new Map<Layer, { kind: DynamicKind; weights: IntegerWeights }>();
      const note = (layer: Layer, reason: string) =>
        ctx.report({ pass: NAME, layer: layer.name, action: "note", reason: `only stored in 8 bits: ${reason}` });
      for (const [layer, reason] of refused) note(layer, reason);
      ctx.progress({ kind: "start", task: NAME, total: fits.length });
      for (const { layer, kind } of fits) {
        checkAborted(NAME, ctx.signal);
        const { tensor, name } = layer.weight;
        const values = await floatValues(tensor);
        const { rows, ...layout } = layoutOf(layer, kind, perChannel, weightType);
        const grid = quantizeRows(gatherChannels(values, channelViewOf(layer)), rows, values.length / rows, {
          bits: portable ? 7 : 8,
        });
        const weights = integerWeights(name, grid, layout, fresh);
        made.set(layer, { kind, weights });
        ctx.progress({ kind: "step", task: NAME, done: made.size, total: fits.length, note: layer.name });
        ctx.report({
          pass: NAME,
          layer: layer.name,
          action: "changed",
          form: `${operators[kind]} ${layout.type}${portable ? " 7 bits" : ""}${perChannel ? " per channel" : ""}`,
          bytesBefore: storedBytes(tensor),
          bytesAfter: pieceBytes(weights),
        });
      }
      ctx.progress({ kind: "end", task: NAME });
      const sweep: WeightPlace[] = [...made.keys()].map(({ weight }) => weight);
      const integers = rewrite(model, { nodes: piecesOf(model, made, fresh), sweep });
      return restInEightBits(integers, ctx, NAME, { portable, embeddings, skip, only });
    },
  });

import {
  attrs,
  floatValues,
  type Layer,
  layers,
  type Model,
  type Node,
  type Pass,
  type Selection,
  storedBytes,
  unselected,
  upgradeOpset,
} from "@espalier/core";
import { checkAborted } from "../abort.ts";
import { channelViewOf, gatherChannels } from "../export/channel-view.ts";
import {
  DYNAMIC_OPSET,
  dynamicInput,
  dynamicMatMul,
  type IntegerWeights,
  integerWeights,
  type QuantizedInput,
} from "../export/dynamic-matmul.ts";
import { freshNames, type Piece, pieceBytes } from "../export/piece.ts";
import { rewrite } from "../export/rewrite.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { readElsewhere } from "../other-readers.ts";
import { rtn } from "./rtn.ts";

export interface DynamicInt8Options extends Selection {
  /** Type of the weights that meet integer activations. */
  readonly weightType?: "int8" | "uint8";
  /** One scale for each output, or one for the whole weight. */
  readonly perChannel?: boolean;
  /** Weights of 7 bits: without VNNI, kernels for uint8 × int8 add pairs in 16 bits, which 8 bits overflow. */
  readonly portable?: boolean;
  /** Embedding tables: 8 bits with one scale a row, or left as they are. */
  readonly embeddings?: boolean;
}

const NAME = "quant/dynamic-int8";

/** Why a linear layer cannot run on integers, or undefined where it can. */
const unfit = ({ kind, weight, uses }: Layer, elsewhere: ReadonlySet<string>): string | undefined => {
  if (kind !== "linear") return undefined;
  if (weight.tensor.type !== "float32") return `its weights are ${weight.tensor.type}`;
  if (weight.tensor.dims.length !== 2) return "its weight is no matrix";
  if (elsewhere.has(weight.name)) return "its weight has other readers";
  const turned = new Set<boolean>();
  for (const { node, index } of uses) {
    if (node.domain !== "") return `${node.opType} has no integer form here`;
    if (index !== 1) return "its weight stands on the left";
    if (node.opType === "Gemm" && attrs.intOf(node, "transA", 0) !== 0) return "its input is transposed";
    if (attrs.floatOf(node, "alpha", 1) !== 1 || attrs.floatOf(node, "beta", 1) !== 1) return "it has alpha or beta";
    turned.add(attrs.intOf(node, "transB", 0) !== 0);
  }
  return turned.size > 1 ? "its weight is used both ways round" : undefined;
};

/** The model with its linear layers on integers, and the notes about those that cannot. */
const linearsOf = (model: Model, { skip, only }: Selection) => {
  const all = layers(model);
  const elsewhere = readElsewhere(model, all);
  const reasonOf = unselected({ skip, only });
  const linear = all.filter((layer) => layer.kind === "linear" && reasonOf(layer) === undefined);
  return linear.map((layer) => ({ layer, reason: unfit(layer, elsewhere) }));
};

/**
 * Dynamic quantization: linear layers multiply integers, with activations quantized by their own range at every run,
 * so no data is needed. Everything else is stored in 8 bits and computed in float as `rtn` does: convolutions, since
 * integer ones with dynamic ranges are slower than float in onnxruntime, recurrent layers, and embeddings by row.
 *
 *     x ≈ (xq - xz) * xs   (uint8, one range a value)      W ≈ Wq * ws   (one scale an output)
 *
 * Layers that share an input share its quantization. Source: arXiv:2103.13630, section III.C.
 */
export const dynamicInt8 = ({
  weightType = "int8",
  perChannel = true,
  portable = false,
  embeddings = true,
  skip,
  only,
}: DynamicInt8Options = {}): Pass => ({
  name: NAME,
  stage: "quantize",
  async apply(original, ctx) {
    const model = (original.opsets.get("") ?? 1) < DYNAMIC_OPSET ? upgradeOpset(original, DYNAMIC_OPSET) : original;
    const fresh = freshNames(model);
    const nodes = new Map<Node, Piece>();
    const sweep = new Set<string>();
    const made = new Map<Node, { weights: IntegerWeights; path: readonly string[] }>();
    for (const { layer, reason } of linearsOf(model, { skip, only })) {
      checkAborted(NAME, ctx.signal);
      if (reason !== undefined) {
        ctx.report({ pass: NAME, layer: layer.name, action: "note", reason: `only stored in 8 bits: ${reason}` });
        continue;
      }
      const { tensor, name } = layer.weight;
      const view = channelViewOf(layer);
      const rows = gatherChannels(await floatValues(tensor), view);
      const columns = view.outer * view.inner;
      const [gridRows, gridColumns] = perChannel ? [view.channels, columns] : [1, view.channels * columns];
      const grid = quantizeRows(rows, gridRows, gridColumns, {
        bits: portable ? 7 : 8,
        blockSize: gridColumns,
        symmetric: true,
        scaleType: "float32",
      });
      const weights = integerWeights(name, grid, [view.channels, columns], weightType, fresh);
      for (const { node, path } of layer.uses) made.set(node, { weights, path });
      sweep.add(name);
      ctx.report({
        pass: NAME,
        layer: layer.name,
        action: "changed",
        form: `MatMulInteger ${weightType}${portable ? " 7 bits" : ""}${perChannel ? " per channel" : ""}`,
        bytesBefore: storedBytes(tensor),
        bytesAfter: pieceBytes(weights),
      });
    }
    const inputs = new Map<string, QuantizedInput>();
    for (const [node, { weights, path }] of inOrder(model, made)) {
      const value = node.inputs[0]!;
      const key = JSON.stringify([path, value]);
      const known = inputs.get(key);
      const quantized = known ? undefined : dynamicInput(value, fresh);
      const input = known ?? quantized!.input;
      inputs.set(key, input);
      const bias = node.opType === "Gemm" && node.inputs[2] ? { bias: node.inputs[2] } : {};
      const use = { name: node.name, output: node.outputs[0]!, ...bias };
      const piece = dynamicMatMul(use, input, weights, fresh);
      nodes.set(node, { ...piece, nodes: [...(quantized ? [quantized.node] : []), ...piece.nodes], shared: weights });
    }
    const integers = rewrite(model, { values: new Map(), nodes, sweep });
    const rest = rtn({ portable, embeddings: embeddings ? "auto" : "float", skip, only });
    return rest.apply(integers, { ...ctx, report: (entry) => ctx.report({ ...entry, pass: NAME }) }, new Map());
  },
});

/** Nodes of all graphs in the order in which they run: the first reader of a value is the one that quantizes it. */
const inOrder = <T>(model: Model, made: ReadonlyMap<Node, T>): [Node, T][] => {
  const found: [Node, T][] = [];
  const visit = (nodes: readonly Node[]) => {
    for (const node of nodes) {
      const value = made.get(node);
      if (value !== undefined) found.push([node, value]);
      for (const { graph } of attrs.subgraphsOf(node)) visit(graph.nodes);
    }
  };
  visit(model.graph.nodes);
  return found;
};

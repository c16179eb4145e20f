import {
  checkAborted,
  definePass,
  type Layer,
  type Pass,
  type Selection,
  storedBytes,
  upgradeOpset,
} from "@espalier/core";
import { DYNAMIC_OPSET } from "../export/dynamic-input.ts";
import type { IntegerType } from "../export/integer-weights.ts";
import { freshNames, pieceBytes } from "../export/piece.ts";
import { rewrite } from "../export/rewrite.ts";
import { runtimesOf } from "../support.ts";
import { type DynamicLayer, dynamicPieces } from "./dynamic-pieces.ts";
import { type DynamicKind, dynamicPlaces, HALF, halfLstms } from "./dynamic-places.ts";
import { dynamicWeights } from "./dynamic-weights.ts";
import { restInEightBits } from "./rest.ts";

export interface DynamicInt8Options extends Selection {
  /**
   * Ranges of the inputs of MatMul and Gemm: of the whole value, or symmetric of each row, a token, so that outlier tokens
   * spoil themselves only. Rows cost a few operators of their own at every run, which onnxruntime does not fuse.
   */
  readonly activations?: "tensor" | "token";
  /** Type of the weights that meet integer activations; those of convolutions are always uint8. */
  readonly weightType?: IntegerType;
  /** One scale for each output, or one for the whole weight. */
  readonly perChannel?: boolean;
  /**
   * Parts of the input of a linear layer that have a range each, so that outliers spoil their own part only. `auto`: 4
   * where a layer takes in at least twice as many values as it gives, as the second of a feed-forward block does behind
   * its activation function, else 1. MiniLM's mean cosine goes from 0.9928 to 0.9953, its time from 0.44 to 0.47 ×.
   */
  readonly inputParts?: "auto" | number;
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

const BITS = 8;
const NAME = "quant/dynamic-int8";

const operators: Readonly<Record<DynamicKind, string>> = {
  matmul: "MatMulInteger",
  conv: "ConvInteger",
  lstm: "DynamicQuantizeLSTM",
  attention: "QAttention",
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
export const dynamicInt8 = (options: DynamicInt8Options = {}): Pass => dynamicPass(NAME, options);

/** `dynamicInt8` under a name. */
export const dynamicPass = (
  name: string,
  {
    activations = "tensor",
    weightType = "int8",
    perChannel = true,
    inputParts = "auto",
    convolutions = "float",
    portable = false,
    embeddings = true,
    skip,
    only,
  }: DynamicInt8Options,
): Pass =>
  definePass({
    name,
    stage: "quantize",
    async apply(original, ctx) {
      const model = (original.opsets.get("") ?? 1) < DYNAMIC_OPSET ? upgradeOpset(original, DYNAMIC_OPSET) : original;
      const { fits, refused } = dynamicPlaces(model, { skip, only, convolutions });
      const fresh = freshNames(model);
      const made = new Map<Layer, DynamicLayer>();
      const note = (layer: Layer, reason: string) =>
        ctx.report({ pass: name, layer: layer.name, action: "note", reason: `only stored in 8 bits: ${reason}` });
      for (const [layer, reason] of refused) note(layer, reason);
      ctx.progress({ kind: "start", task: name, total: fits.size });
      for (const [layer, kind] of fits) {
        checkAborted(name, ctx.signal);
        const weights = await dynamicWeights(layer, kind, { weightType, perChannel, portable, inputParts }, fresh);
        if (weights) made.set(layer, weights);
        ctx.progress({ kind: "step", task: name, done: made.size, total: fits.size, note: layer.name });
      }
      for (const layer of fits.keys()) if (!made.has(layer)) note(layer, "its weights are not all finite");
      for (const layer of halfLstms(made.keys())) {
        made.delete(layer);
        note(layer, HALF);
      }
      for (const [layer, { kind, parts }] of made)
        ctx.report({
          pass: name,
          layer: layer.name,
          action: "changed",
          ...runtimesOf("dynamicInt8", BITS, layer.kind),
          form: [
            `${operators[kind]} ${kind === "conv" ? "uint8" : weightType}`,
            ...(activations === "token" && kind === "matmul" ? ["a range each token"] : []),
            ...(portable ? ["7 bits"] : []),
            ...(perChannel ? ["per channel"] : []),
            ...(parts.length > 1 ? [`input in ${parts.length} parts`] : []),
          ].join(", "),
          bytesBefore: storedBytes(layer.weight.tensor),
          bytesAfter: parts.reduce((sum, part) => sum + pieceBytes(part), 0),
        });
      ctx.progress({ kind: "end", task: name });
      const sweep = [...made.keys()].map(({ weight }) => weight);
      const integers = rewrite(model, { nodes: dynamicPieces(model, made, fresh, activations === "token"), sweep });
      const result = await restInEightBits(integers, ctx, name, { portable, embeddings, skip, only });
      return result === model ? original : result;
    },
  });

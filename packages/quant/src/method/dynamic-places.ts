import {
  attrs,
  type Layer,
  type LayerUse,
  layers,
  type Model,
  type Node,
  type Selection,
  sizeOf,
  unselected,
} from "@espalier/core";
import { unfitAttention } from "../export/dynamic-attention.ts";
import { readElsewhere } from "../other-readers.ts";

/** How a layer runs on integers. */
export type DynamicKind = "matmul" | "conv" | "lstm" | "attention";

export interface DynamicOptions extends Selection {
  readonly convolutions: "float" | "integer";
}

const kinds: Readonly<Record<string, DynamicKind>> = {
  Attention: "attention",
  Conv: "conv",
  Gemm: "matmul",
  LSTM: "lstm",
  MatMul: "matmul",
};

const kindOf = ({ opType, domain }: Node): DynamicKind | undefined =>
  domain === (opType === "Attention" ? "com.microsoft" : "") ? kinds[opType] : undefined;

/** Why one use of a layer cannot run on integers. */
const unfitUse = ({ node, index }: LayerUse, { weight }: Layer, convolutions: string): string | undefined => {
  const kind = kindOf(node);
  if (kind === undefined) return `onnxruntime has no ${node.opType} on integers with ranges that it finds as it runs`;
  if (node.inputs[index] !== weight.name) return "its weight comes through other operators";
  if (kind === "conv")
    return convolutions === "integer" ? undefined : 'computed in float, which is faster (convolutions: "float")';
  if (kind === "attention") return unfitAttention(node);
  if (kind === "lstm") return attrs.intOf(node, "layout", 0) === 0 ? undefined : "DynamicQuantizeLSTM has no layout";
  if (weight.tensor.dims.length !== 2) return "its weight is no matrix";
  return index === 1 ? undefined : "its weight stands on the left";
};

const turnedOf = ({ node }: LayerUse) => (node.opType === "Gemm" ? attrs.intOf(node, "transB", 0) : 0);

const unfit = (layer: Layer, elsewhere: ReadonlySet<Layer>, convolutions: string): string | undefined => {
  const { weight, uses } = layer;
  if (sizeOf(weight.tensor.dims) === 0) return "its weight is empty";
  for (const use of uses) {
    const reason = unfitUse(use, layer, convolutions);
    if (reason !== undefined) return reason;
  }
  if (weight.tensor.type !== "float32") return `its weights are ${weight.tensor.type}`;
  if (elsewhere.has(layer)) return "its weight has other readers";
  const [first, ...others] = uses;
  const same = others.every(
    (use) => kindOf(use.node) === kindOf(first.node) && use.index === first.index && turnedOf(use) === turnedOf(first),
  );
  return same ? undefined : "its weight is used in different ways";
};

/** Why a matrix of an LSTM stays float whose partner does. */
export const HALF = "the other matrix of its LSTM stays float";

/** Those of the layers whose LSTM has its other matrix not among them. */
export const halfLstms = (layers: Iterable<Layer>): readonly Layer[] => {
  const left = new Set([...layers].filter(({ kind }) => kind === "recurrent"));
  const gone: Layer[] = [];
  for (;;) {
    const matrices = new Map<Node, number>();
    for (const { uses } of left) for (const { node } of uses) matrices.set(node, (matrices.get(node) ?? 0) + 1);
    const half = [...left].filter(({ uses }) => uses.some(({ node }) => matrices.get(node) !== 2));
    if (half.length === 0) return gone;
    for (const layer of half) left.delete(layer);
    gone.push(...half);
  }
};

/** The layers of a model that can run on integers with ranges found as it runs, and why others cannot. */
export const dynamicPlaces = (model: Model, { skip, only, convolutions }: DynamicOptions) => {
  const all = layers(model);
  const elsewhere = readElsewhere(all);
  const reasonOf = unselected({ skip, only });
  const refused = new Map<Layer, string>();
  const fits = new Map<Layer, DynamicKind>();
  for (const layer of all) {
    if (reasonOf(layer) !== undefined || layer.kind === "embedding") continue;
    const reason = unfit(layer, elsewhere, convolutions);
    if (reason === undefined) fits.set(layer, kindOf(layer.node)!);
    else refused.set(layer, reason);
  }
  for (const layer of halfLstms(fits.keys())) {
    fits.delete(layer);
    refused.set(layer, HALF);
  }
  return { fits, refused };
};

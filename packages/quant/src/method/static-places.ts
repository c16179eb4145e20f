import {
  attrs,
  type Consumer,
  consumers,
  type Layer,
  type LayerFilter,
  type LayerUse,
  layerFilter,
  layers,
  type Model,
  type Node,
  readData,
  type Selection,
  sizeOf,
  type Tensor,
  unselected,
} from "@espalier/core";
import { readElsewhere } from "../other-readers.ts";
import type { Place } from "./place.ts";
import { placesBetween } from "./places-between.ts";

export interface PlaceOptions extends Selection {
  readonly float: "auto" | "none" | LayerFilter;
}

const operators: ReadonlySet<string> = new Set(["Conv", "MatMul", "Gemm"]);

/** Why an operator has no integer form here. */
const unfitOperator = ({ opType, domain }: Node): string | undefined => {
  if (domain === "" && operators.has(opType)) return undefined;
  if (opType === "ConvTranspose") return "onnxruntime has no integer kernel of ConvTranspose";
  return `${opType} is quantized by ranges that it finds as it runs, or not at all: see dynamicInt8`;
};

const unfitUse = ({ node, index, path }: LayerUse, { weight, kind }: Layer, biasOf: BiasOf): string | undefined => {
  const reason = unfitOperator(node);
  if (reason !== undefined) return reason;
  if (path.length > 0) return "it is inside a subgraph, where values cannot be observed";
  if (node.inputs[index] !== weight.name) return "its weight comes through other operators";
  if (kind === "linear" && (index !== 1 || weight.tensor.dims.length !== 2))
    return "its weight is no matrix on the right";
  if (node.opType === "Gemm" && (attrs.floatOf(node, "alpha", 1) !== 1 || attrs.floatOf(node, "beta", 1) !== 1))
    return "it has alpha or beta";
  const bias = node.inputs[2];
  if (!bias || node.opType === "MatMul") return undefined;
  const dims = biasOf(node)?.dims;
  return dims?.length === 1 && dims[0] === weight.dims[0] ? undefined : "its bias is no constant vector";
};

type BiasOf = (node: Node) => Tensor | undefined;

/** Why a layer cannot run on fixed integers, or undefined where it can. */
const unfit = (layer: Layer, elsewhere: ReadonlySet<Layer>, biasOf: BiasOf): string | undefined => {
  const { weight, uses, node } = layer;
  for (const use of uses) {
    const reason = unfitUse(use, layer, biasOf);
    if (reason !== undefined) return reason;
  }
  if (weight.tensor.type !== "float32") return `its weights are ${weight.tensor.type}`;
  if (elsewhere.has(layer)) return "its weight has other readers";
  const turned = attrs.intOf(node, "transB", 0);
  return uses.every((use) => attrs.intOf(use.node, "transB", 0) === turned)
    ? undefined
    : "its weight is used both ways round";
};

/** Few weights, few terms in each sum, and channels of very different ranges under one activation scale. */
const isDepthwise = ({ kind, weight }: Layer) => kind === "conv" && weight.dims[1] === 1;

/**
 * Layers of at most so many weights, and of at most this share of all, are computed in float: the first convolutions
 * of a network are small and sensitive. On PP-OCRv4's recogniser that takes character errors from 8.4 to 4.4 %.
 */
const SMALL = 4096;
const SMALL_SHARE = 1 / 64;

const keptFloat = (float: PlaceOptions["float"], all: readonly Layer[]): ((layer: Layer) => boolean) => {
  if (float === "none") return () => false;
  if (float !== "auto") return layerFilter(float);
  const weights = ({ weight }: Layer) => sizeOf(weight.dims);
  const limit = Math.min(SMALL, SMALL_SHARE * all.reduce((sum, layer) => sum + weights(layer), 0));
  return (layer) => isDepthwise(layer) || weights(layer) <= limit;
};

/** Finds the Relu or Clip that is all that reads a value, and whose bounds a range about 0 can stand for. */
const finisher = async (model: Model) => {
  const readers = consumers(model.graph);
  const outputs = new Set(model.graph.outputs.map(({ name }) => name));
  const bound = async (name: string | undefined, usual: number): Promise<number> => {
    if (!name) return usual;
    const tensor = model.graph.weights.get(name);
    return tensor?.type === "float32" ? ((await readData(tensor)) as Float32Array)[0]! : Number.NaN;
  };
  const straddles = async ({ inputs: [, low, high] }: Node) =>
    (await bound(low, Number.NEGATIVE_INFINITY)) <= 0 && (await bound(high, Number.POSITIVE_INFINITY)) >= 0;
  return async (node: Node): Promise<Node> => {
    const output = node.outputs[0]!;
    const [first, ...more]: readonly Consumer[] = readers.get(output) ?? [];
    if (!first || more.length > 0 || first.index !== 0 || outputs.has(output)) return node;
    const { opType, domain } = first.node;
    if (domain !== "") return node;
    return opType === "Relu" || (opType === "Clip" && (await straddles(first.node))) ? first.node : node;
  };
};

/** The layers of a model that can run on integers with fixed ranges, use by use, and why others cannot. */
export const placesOf = async (
  model: Model,
  { skip, only, float }: PlaceOptions,
): Promise<{ readonly places: readonly Place[]; readonly refused: ReadonlyMap<Layer, string> }> => {
  const all = layers(model);
  const isFloat = keptFloat(float, all);
  const elsewhere = readElsewhere(all);
  const reasonOf = unselected({ skip, only });
  const biasOf: BiasOf = (node) => model.graph.weights.get(node.inputs[2] ?? "");
  const lastOf = await finisher(model);
  const places: Place[] = [];
  const left: Place[] = [];
  const refused = new Map<Layer, string>();
  for (const layer of all) {
    if (reasonOf(layer) !== undefined || layer.kind === "embedding") continue;
    const reason = unfit(layer, elsewhere, biasOf);
    if (reason !== undefined) {
      refused.set(layer, reason);
      continue;
    }
    const list = isFloat(layer) ? left : places;
    for (const { node } of layer.uses)
      list.push({ layer, node, last: await lastOf(node), bias: node.opType === "MatMul" ? undefined : biasOf(node) });
  }
  const also = float === "auto" ? placesBetween(model, places, left) : [];
  const choice = typeof float === "string" ? float : "by choice";
  for (const place of left) if (!also.includes(place)) refused.set(place.layer, `computed in float (float: ${choice})`);
  return { places: [...places, ...also], refused };
};

import { attrs, floatValues, type Layer } from "@espalier/core";
import { channelViewOf, gatherChannels } from "../export/channel-view.ts";
import { type IntegerLayout, type IntegerType, integerWeights } from "../export/integer-weights.ts";
import type { Names } from "../export/piece.ts";
import { columnsOf } from "../grid/columns.ts";
import { isFiniteGrid } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import type { DynamicLayer } from "./dynamic-pieces.ts";
import type { DynamicKind } from "./dynamic-places.ts";

export interface DynamicWeightOptions {
  readonly weightType: IntegerType;
  readonly perChannel: boolean;
  readonly portable: boolean;
  readonly inputParts: "auto" | number;
}

/** Parts of the input of layers that take in at least twice as many values as they give. */
const USUAL_PARTS = 4;
/** Parts are at least so wide, and begin at a multiple of that, as kernels for integers like them. */
const PART = 64;

/** How wide the parts of a layer's input are. */
const partWidth = (
  { uses, weight: { dims } }: Layer,
  kind: DynamicKind,
  { perChannel, inputParts }: DynamicWeightOptions,
): number => {
  const [out, inputs] = [dims[0]!, dims[1]!];
  const transposed = uses.some(({ node }) => node.opType === "Gemm" && attrs.intOf(node, "transA", 0) !== 0);
  if (kind !== "matmul" || !perChannel || transposed) return inputs;
  const parts = inputParts === "auto" ? (inputs >= 2 * out ? USUAL_PARTS : 1) : inputParts;
  return Math.min(inputs, Math.max(PART, Math.ceil(inputs / parts / PART) * PART));
};

/** How many scales a weight has. */
const scalesOf = ({ weight: { tensor, dims } }: Layer, kind: DynamicKind, perChannel: boolean): number => {
  if (perChannel) return dims[0]!;
  return kind === "lstm" ? tensor.dims[0]! : 1;
};

/** How the operator of a kind wants the weights of a layer, `inputs` of them at a time. */
const layoutOf = (
  { weight: { tensor, dims } }: Layer,
  kind: DynamicKind,
  inputs: number,
  { perChannel, weightType: type }: DynamicWeightOptions,
): IntegerLayout => {
  const out = dims[0]!;
  if (kind === "conv")
    return { type: "uint8", dims: tensor.dims, scaleDims: perChannel ? [out, ...dims.slice(2).map(() => 1)] : [] };
  if (kind === "lstm") {
    const directions = tensor.dims[0]!;
    const gates = out / directions;
    const scaleDims = perChannel ? [directions, gates] : [directions];
    const turned = { dims: [directions, inputs, gates], from: [directions, gates, inputs], order: [0, 2, 1] };
    return { type, ...turned, scaleDims, zeroDims: scaleDims };
  }
  const scaleDims = perChannel ? [out] : [];
  const turned = { dims: [inputs, out], from: [out, inputs], order: [1, 0] };
  return { type, ...turned, scaleDims, ...(kind === "attention" && { zeroDims: scaleDims }) };
};

/** The weights of a layer on integers; undefined where they are not all finite. */
export const dynamicWeights = async (
  layer: Layer,
  kind: DynamicKind,
  options: DynamicWeightOptions,
  fresh: Names,
): Promise<DynamicLayer | undefined> => {
  const { tensor, name, dims } = layer.weight;
  const values = await floatValues(tensor);
  const rows = scalesOf(layer, kind, options.perChannel);
  const width = partWidth(layer, kind, options);
  const grid = quantizeRows(gatherChannels(values, channelViewOf(layer)), rows, values.length / rows, {
    bits: options.portable ? 7 : 8,
    range: "narrow",
    ...(width < dims[1]! && { blockSize: width }),
  });
  if (!isFiniteGrid(grid)) return undefined;
  if (grid.blocks === 1) {
    const layout = layoutOf(layer, kind, dims[1]!, options);
    return { kind, parts: [integerWeights(name, grid, layout, fresh)], starts: [0] };
  }
  const parts = Array.from({ length: grid.blocks }, (_, block) => {
    const own = columnsOf(grid, block);
    return integerWeights(name, own, layoutOf(layer, kind, own.columns, options), fresh);
  });
  return { kind, parts, starts: parts.map((_, i) => i * width) };
};

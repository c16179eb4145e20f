import { intOf, intsOf } from "../attrs.ts";
import { type Constant, constantOf, type Scope } from "../graph.ts";
import type { LayerKind, LayerWeight, WeightLayout } from "../layers.ts";
import type { Node } from "../model.ts";
import { type FloatType, floatTensor, floatValues, isFloatType } from "../numeric/floats.ts";
import { inverseOrder, permute } from "../numeric/permute.ts";
import { dataTypeOfCode, tensor as made } from "../tensor.ts";
import { beforeTranspose, reorder, seenDims } from "./layout.ts";
import type { Slot } from "./slots.ts";

/** Order of axes that a Transpose makes of a tensor of so many; undefined where it is none. */
const orderOf = (node: Node, rank: number): readonly number[] | undefined => {
  const axes = Array.from({ length: rank }, (_, i) => i);
  const order = intsOf(node, "perm") ?? axes.toReversed();
  return order.length === rank && axes.every((axis) => order.includes(axis)) ? order : undefined;
};

const keepsFloats = (node: Node): boolean => {
  const type = dataTypeOfCode(intOf(node, "to", 0));
  return type !== undefined && isFloatType(type);
};

/** The weight that a node takes through a slot. */
export interface FoundWeight {
  readonly constant: Constant;
  readonly layout: WeightLayout;
  /** Dims of what the node itself sees. */
  readonly seen: readonly number[];
}

/** The weight in a slot of a node, seen through the nodes between; undefined where there is none. */
export const weightIn = (scope: Scope, node: Node, slot: Slot): FoundWeight | undefined => {
  const name = node.inputs[slot.index];
  const constant = name ? constantOf(scope, name) : undefined;
  if (!constant || !isFloatType(constant.tensor.type)) return undefined;
  const { dims } = constant.tensor;
  const [least, most] = slot.ranks;
  if (dims.length < least || dims.length > most) return undefined;
  let order: readonly number[] = dims.map((_, axis) => axis);
  for (const between of constant.chain) {
    if (between.opType === "Cast" && !keepsFloats(between)) return undefined;
    if (between.opType !== "Transpose") continue;
    const next = orderOf(between, dims.length);
    if (!next) return undefined;
    order = reorder(order, next);
  }
  const seen = reorder(dims, order);
  const layout = slot.layout(node, seen);
  return layout && { constant, layout: beforeTranspose(layout, seen, order), seen };
};

/** What a layer shows of its weight. */
export const layerWeight = ({ constant, layout }: FoundWeight, kind: LayerKind): LayerWeight => {
  const { name, graph: owner, tensor } = constant;
  const { split, order } = layout;
  const dims = seenDims(layout, kind === "conv");
  return {
    name,
    owner,
    tensor,
    layout,
    dims,
    read: async () => permute(await floatValues(tensor), split, order),
    write(values) {
      const turned = permute(made("float32", dims, values).data, reorder(split, order), inverseOrder(order));
      return floatTensor(tensor.type as FloatType, tensor.dims, turned);
    },
  };
};

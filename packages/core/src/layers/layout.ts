import type { WeightLayout } from "../layers.ts";
import { inverseOrder } from "../numeric/permute.ts";
import { sizeOf } from "../tensor.ts";

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** [...out, in, ...kernel] as it lies. */
export const straight = (dims: readonly number[], outAxes: number): WeightLayout => ({
  split: dims,
  order: upTo(dims.length),
  outAxes,
});

/** Matrices [..., out, in], or [..., in, out] when turned; a stack of them counts as more outputs. */
export const matrices = (dims: readonly number[], turned: boolean): WeightLayout => {
  const rank = dims.length;
  const stack = upTo(rank - 2);
  return {
    split: dims,
    order: turned ? [...stack, rank - 1, rank - 2] : [...stack, rank - 2, rank - 1],
    outAxes: rank - 1,
  };
};

/** Rows along one axis; the others make up the width. */
export const rowsAlong = (dims: readonly number[], axis: number): WeightLayout => ({
  split: dims,
  order: [axis, ...upTo(dims.length).filter((other) => other !== axis)],
  outAxes: 1,
});

/** [in, out / groups, ...kernel], where each group of inputs has its own outputs. */
export const convTransposed = (dims: readonly number[], groups: number): WeightLayout => {
  const [inputs, outputs, ...kernel] = dims;
  if (groups === 1) return { split: dims, order: [1, 0, ...upTo(kernel.length).map((axis) => axis + 2)], outAxes: 1 };
  return {
    split: [groups, inputs / groups, outputs, ...kernel],
    order: [0, 2, 1, ...upTo(kernel.length).map((axis) => axis + 3)],
    outAxes: 2,
  };
};

/** Dims after Transpose: axis i is axis `order[i]` of before. */
export const reorder = (dims: readonly number[], order: readonly number[]): number[] => order.map((axis) => dims[axis]);

/**
 * The layout of the tensor that Transpose makes `seen` of.
 *
 * @param layout of what Transpose makes
 * @param seen   dims of what Transpose makes
 * @param order  axis i of `seen` is axis `order[i]` of the tensor
 */
export const beforeTranspose = (
  { split, order: axes, outAxes }: WeightLayout,
  seen: readonly number[],
  order: readonly number[],
): WeightLayout => {
  // The one axis that may be split is the first of `seen`: as many parts more as there are axes more.
  const extra = split.length - seen.length;
  const partsOf = (axis: number) => (axis === 0 ? upTo(extra + 1) : [axis + extra]);
  const moved = inverseOrder(order).flatMap(partsOf);
  return { split: moved.map((axis) => split[axis]), order: axes.map((axis) => moved.indexOf(axis)), outAxes };
};

/** [out, in, ...kernel]: recurrent and embedding weights have no kernel, so what is left is one number. */
export const seenDims = ({ split, order, outAxes }: WeightLayout, hasKernel: boolean): number[] => {
  const dims = reorder(split, order);
  const out = sizeOf(dims.slice(0, outAxes));
  return hasKernel ? [out, ...dims.slice(outAxes)] : [out, sizeOf(dims.slice(outAxes))];
};

import { sizeOf } from "../tensor.ts";

/** Steps of a tensor's dimensions in memory, rows last. */
export const stridesOf = (shape: readonly number[]): number[] => {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis]!;
  }
  return strides;
};

/** Steps of a tensor that is read in a larger shape: 0 where it is repeated. */
export const broadcastStrides = (shape: readonly number[], target: readonly number[]): number[] => {
  const strides = stridesOf(shape);
  const missing = target.length - shape.length;
  return target.map((_, axis) => (axis < missing || shape[axis - missing] === 1 ? 0 : strides[axis - missing]!));
};

/** Calls with the place of each element of `shape`, in order, in a tensor that is walked by `strides`. */
export const walk = (
  shape: readonly number[],
  strides: readonly number[],
  visit: (index: number, place: number) => void,
): void => {
  const count = sizeOf(shape);
  const at = new Array<number>(shape.length).fill(0);
  for (let index = 0, place = 0; index < count; index++) {
    visit(index, place);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += strides[axis]!;
      if (++at[axis]! < shape[axis]!) break;
      place -= at[axis]! * strides[axis]!;
      at[axis] = 0;
    }
  }
};

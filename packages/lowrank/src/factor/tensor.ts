import { permute } from "@espalier/core";
import { type Matrix, matrix } from "@espalier/core/linalg";

/** A dense array of doubles, row-major. */
export interface Dense {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

const product = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** The unfolding along an axis: [dims[axis], all the others in their order]. */
export const unfold = ({ dims, data }: Dense, axis: number): Matrix => {
  const order = [axis, ...dims.map((_, i) => i).filter((i) => i !== axis)];
  return matrix(dims[axis], product(dims) / dims[axis], permute(data, dims, order));
};

/** The array whose unfolding along an axis is given; `dims` are those of the array, the axis as long as the unfolding has rows. */
export const fold = ({ rows, data }: Matrix, dims: readonly number[], axis: number): Dense => {
  const folded = dims.map((dim, i) => (i === axis ? rows : dim));
  const others = folded.filter((_, i) => i !== axis);
  const back = folded.map((_, i) => (i === axis ? 0 : i < axis ? i + 1 : i));
  return { dims: folded, data: permute(data, [rows, ...others], back) };
};

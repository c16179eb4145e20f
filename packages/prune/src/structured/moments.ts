import type { Layer, LayerObserver, Tensor } from "@espalier/core";
import { gramMatrix, type Matrix, matrix } from "@espalier/core/linalg";
import { inputView } from "./input-view.ts";

/** Sums over rows x, [columns]. */
export interface MomentSums {
  n: number;
  /** Σ xxᵀ */
  readonly squares: Matrix;
  /** Σ x */
  readonly sums: Float64Array;
}

export interface Moments {
  /** E xxᵀ about the mean */
  readonly gram: Matrix;
  readonly mean: Float64Array;
}

export const emptyMoments = (columns: number): MomentSums => ({
  n: 0,
  squares: matrix(columns, columns),
  sums: new Float64Array(columns),
});

export const addTo = (target: Float64Array, values: Float64Array): void => {
  for (let i = 0; i < target.length; i++) target[i] += values[i];
};

/** Sums of the columns of a matrix. */
export const columnSums = ({ rows, columns, data }: Matrix): Float64Array => {
  const sums = new Float64Array(columns);
  for (let r = 0, at = 0; r < rows; r++) for (let c = 0; c < columns; c++, at++) sums[c] += data[at];
  return sums;
};

export const addRows = (stats: MomentSums, rows: Matrix, square = gramMatrix): void => {
  stats.n += rows.rows;
  addTo(stats.squares.data, square(rows).data);
  addTo(stats.sums, columnSums(rows));
};

/** A sum of products as a covariance: Σ a bᵀ / n - mean a mean bᵀ. */
export const covariance = (products: Matrix, a: Float64Array, b: Float64Array, n: number): Matrix => {
  const { rows, columns, data } = products;
  const out = matrix(rows, columns);
  for (let i = 0, at = 0; i < rows; i++)
    for (let j = 0; j < columns; j++, at++) out.data[at] = data[at] / n - (a[i] / n) * (b[j] / n);
  return out;
};

export const momentsOf = ({ n, squares, sums }: MomentSums): Moments => ({
  gram: covariance(squares, sums, sums, n),
  mean: sums.map((sum) => sum / n),
});

const isFloat = (x: Tensor) => x.type === "float32";

/** Folds the first and second moments of what layers take in: of convolutions, of patches, or of pixels where those are too many. */
export const momentObserver = (only: (layer: Layer) => boolean, square = gramMatrix): LayerObserver<MomentSums> => ({
  init(layer) {
    const view = only(layer) ? inputView(layer) : undefined;
    return view && emptyMoments(view.columns);
  },
  update(stats, x, layer) {
    if (isFloat(x)) addRows(stats, inputView(layer)!.rowsIn(x).rows, square);
  },
});

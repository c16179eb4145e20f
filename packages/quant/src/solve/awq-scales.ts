import type { PassKernels } from "@espalier/core";
import { linearAlgebra, type Matrix, matrix } from "@espalier/core/linalg";
import { dequantizeRows, type GridOptions } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";

/** Exponents that are tried: 0, 1/20 .. 19/20. Source: arXiv:2306.00978, its code. */
const STEPS = 20;
/** Least mean size of a channel. */
const LEAST = 1e-4;
/** Rows of each weight whose error is looked at. */
const MOST_ROWS = 128;

/** s = a^r / sqrt(max a^r · min a^r), a mean |x| of each channel. */
export const awqScales = (sizes: ArrayLike<number>, exponent: number): Float32Array => {
  const raised = Float64Array.from(sizes, (size) => Math.max(size, LEAST) ** exponent);
  const middle = Math.sqrt(raised.reduce((a, b) => Math.max(a, b)) * raised.reduce((a, b) => Math.min(a, b)));
  return Float32Array.from(raised, (value) => value / middle);
};

/** A weight that meets the channels, and the grid that it will be rounded to. */
export interface AwqWeight {
  /** [rows, columns] */
  readonly rows: Float32Array;
  readonly grid: GridOptions;
}

export interface AwqChoice {
  readonly exponent: number;
  readonly scales: Float32Array;
  /** Output error, of the rows that were looked at, at the exponent and at 0. */
  readonly error: number;
  readonly plain: number;
}

/** At most so many rows, evenly spread. */
const sample = (rows: Float32Array, columns: number): Float32Array => {
  const count = rows.length / columns;
  if (count <= MOST_ROWS) return rows;
  const out = new Float32Array(MOST_ROWS * columns);
  for (let i = 0; i < MOST_ROWS; i++) {
    const row = Math.floor((i * count) / MOST_ROWS);
    out.set(rows.subarray(row * columns, (row + 1) * columns), i * columns);
  }
  return out;
};

/**
 * The exponent with the least output error of the weights that meet a value, when they are rounded scaled up and scaled
 * down again:
 *
 *     Σ d H dᵀ      d = Q(w diag(s)) diag(s)⁻¹ - w      s = a^r / sqrt(max · min)
 *
 * Of each weight 128 rows are looked at. Guarantee: the error is at most that of r = 0, which is rounding to nearest.
 * Source: AWQ, arXiv:2306.00978, eq. 4 and 5.
 *
 * @param sizes [columns], mean |x|
 * @param H     [columns, columns], XᵀX / n
 */
export const chooseAwqScales = (
  weights: readonly AwqWeight[],
  sizes: ArrayLike<number>,
  H: Matrix,
  kernels?: PassKernels,
): AwqChoice => {
  const { matmul } = linearAlgebra(kernels);
  const columns = H.columns;
  const samples = weights.map(({ rows, grid }) => ({ rows: sample(rows, columns), grid }));
  const errorAt = (scales: Float32Array): number => {
    let sum = 0;
    for (const { rows, grid } of samples) {
      const scaled = rows.map((value, i) => value * scales[i % columns]!);
      const importance = Float64Array.from(scales, (s, j) => H.data[j * columns + j]! / (s * s));
      const count = rows.length / columns;
      const back = dequantizeRows(quantizeRows(scaled, count, columns, { ...grid, importance }));
      const d = matrix(count, columns);
      for (let i = 0; i < d.data.length; i++) d.data[i] = back[i]! / scales[i % columns]! - rows[i]!;
      const pull = matmul(d, H).data;
      for (let i = 0; i < pull.length; i++) sum += d.data[i]! * pull[i]!;
    }
    return sum;
  };
  let best: AwqChoice | undefined;
  let plain = 0;
  for (let step = 0; step < STEPS; step++) {
    const scales = awqScales(sizes, step / STEPS);
    const error = errorAt(scales);
    if (step === 0) plain = error;
    if (!best || error < best.error) best = { exponent: step / STEPS, scales, error, plain };
  }
  return { ...best!, plain };
};

import { roundToHalf } from "@espalier/core";
import { type Grid, type GridOptions, highestOf, middleOf } from "../grid/grid.ts";
import { nearest } from "../grid/nearest.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";

export interface HqqSolveOptions {
  /** Norm of the errors, below 1: few large errors are better than many small ones. */
  readonly norm?: number;
  /** First weight of the constraint, and what it is multiplied by on each step. */
  readonly beta?: number;
  readonly growth?: number;
  readonly steps?: number;
}

/** sign(x) max(0, |x| - |x|^(p - 1) / beta): the proximal step of the p-norm, as HQQ takes it. */
export const shrink = (x: number, p: number, beta: number): number => {
  const size = Math.abs(x);
  if (size === 0) return 0;
  const left = size - size ** (p - 1) / beta;
  return left > 0 ? Math.sign(x) * left : 0;
};

/**
 * Half-quadratic quantization: rows on a grid without data, scale or zero point of each block fitted so that a norm of the
 * weights' errors with p < 1 is small. Zero points move where the grid has float ones, as published:
 *
 *     e = shrink(w - ŵ)      zero = mean(code - (w - e) / scale)      codes rounded anew, beta growing
 *
 * where they are whole or fixed, the scale moves instead: scale = Σ v (w - e) / Σ v², v = code - zero. A block stops when
 * its mean |w - ŵ| no longer falls, and keeps its best. Source: HQQ, Badri and Shaji 2023 (mobiusml.github.io/hqq_blog).
 *
 * Guarantee: the mean absolute error of no block is above that of rounding to nearest.
 */
export const hqqRows = (
  w: Float32Array,
  rows: number,
  columns: number,
  options: GridOptions,
  { norm = 0.7, beta: firstBeta = 10, growth = 1.01, steps = 20 }: HqqSolveOptions = {},
): Grid => {
  const start = quantizeRows(w, rows, columns, { ...options, clip: "none" });
  const { bits, blockSize, blocks } = start;
  const [codes, scales, zeroPoints] = [start.codes.slice(), start.scales.slice(), start.zeroPoints?.slice()];
  const highest = highestOf(bits);
  const lowest = (options.symmetric ?? true) && options.range === "narrow" ? 1 : 0;
  const round = options.scaleType === "float16" ? roundToHalf : Math.fround;
  const floats = zeroPoints instanceof Float32Array;
  const trial = new Uint8Array(blockSize);
  for (let at = 0; at < scales.length; at++) {
    const from = Math.floor(at / blocks) * columns + (at % blocks) * blockSize;
    const width = Math.min(blockSize, columns - (at % blocks) * blockSize);
    if (!Number.isFinite(scales[at]!)) continue;
    const encode = (scale: number, zero: number): number => {
      let error = 0;
      for (let i = 0; i < width; i++) {
        const exact = w[from + i]! / scale;
        let code = floats ? nearest(exact + zero) : nearest(exact) + zero;
        if (code < lowest) code = lowest;
        else if (code > highest) code = highest;
        trial[i] = code;
        error += Math.abs(w[from + i]! - (code - zero) * scale);
      }
      return error;
    };
    let scale = scales[at]!;
    let zero = zeroPoints ? zeroPoints[at]! : middleOf(bits);
    let least = encode(scale, zero);
    let beta = firstBeta;
    for (let step = 0; step < steps; step++, beta *= growth) {
      let [top, bottom] = [0, 0];
      for (let i = 0; i < width; i++) {
        const value = w[from + i]!;
        const kept = value - shrink(value - (trial[i]! - zero) * scale, norm, beta);
        if (floats) top += trial[i]! - kept / scale;
        else {
          top += (trial[i]! - zero) * kept;
          bottom += (trial[i]! - zero) ** 2;
        }
      }
      if (floats) zero = round(top / width);
      else if (bottom > 0) scale = round(top / bottom) || scale;
      const error = encode(scale, zero);
      if (!(error < least)) break;
      least = error;
      codes.set(trial.subarray(0, width), from);
      scales[at] = scale;
      if (zeroPoints) zeroPoints[at] = zero;
    }
  }
  return { bits, rows, columns, blockSize, blocks, codes, scales, zeroPoints };
};

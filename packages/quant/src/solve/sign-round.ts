import { type Rng, roundToHalf } from "@espalier/core";
import type { Matrix } from "@espalier/core/linalg";
import { type Grid, type GridOptions, highestOf, middleOf } from "../grid/grid.ts";
import { nearest as round } from "../grid/nearest.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { gramLoss } from "./gram-loss.ts";
import { keepBetter, rowErrors } from "./row-errors.ts";

export interface SignRoundSettings {
  readonly steps: number;
  /** First step of offsets and of clip ranges, which falls to 0 in a line; 1 / steps where absent. */
  readonly learningRate?: number;
}

/** How often the loss of the grid so far is taken, and the better one kept. */
const CHECKS = 20;

/** Least part of a range that is kept: below it a grid would be a single code. */
const LEAST_PART = 0.05;

/**
 * SignRound (AutoRound) of rows that see the same input: offsets of rounding and clip ranges of blocks, learnt by signs of
 * gradients, the best codes of each row kept.
 *
 *     ŵ = scale (clip(round(w / scale + V) + zero) - zero)    V in [-1/2, 1/2], from 0
 *     scale = (max w · α - min w · β) / (2^bits - 1)          α, β in (0, 1], from 1; on symmetric grids scale · α
 *     θ -= rate · sign(∂ (ŵ - w) H (ŵ - w)ᵀ / ∂θ)              rate falls from 1 / steps to 0; rounding passes gradients on
 *
 * Guarantee: no row loses more than by rounding to nearest, `quantizeRows` with the same options.
 * Source: arXiv:2309.05516, eqs. 3 to 5 and algorithm 1.
 *
 * @param w    [rows, columns]
 * @param gram [columns, columns], XᵀX of what the rows meet
 */
export const signRoundRows = (
  w: Float32Array,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  options: GridOptions,
  gram: Matrix,
  { steps, learningRate = 1 / steps }: SignRoundSettings,
  rng: Rng,
): Grid => {
  const { bits = 8, symmetric = true, range = "full", scaleType = "float32", zeroPoint = "integer" } = options;
  const start = quantizeRows(w, rows, columns, options);
  const { blocks, blockSize } = start;
  const [lowest, highest] = [symmetric && range === "narrow" ? 1 : 0, highestOf(bits)];
  const toType = scaleType === "float16" ? roundToHalf : Math.fround;
  const loss = gramLoss(gram, rng);
  // Offsets of each weight; parts of each block's range above and below 0 that are kept.
  const v = new Float64Array(rows * columns);
  const [alpha, beta] = [new Float64Array(rows * blocks).fill(1), new Float64Array(rows * blocks).fill(1)];
  const whole = symmetric || zeroPoint === "integer";
  const zeroOf = (grid: Grid, at: number) => (grid.zeroPoints ? grid.zeroPoints[at]! : middleOf(bits));
  /** Ends of the first grid of a block, which α and β shrink. */
  const [tops, bottoms] = [start.scales, start.scales].map((scales, end) =>
    Float64Array.from(scales, (scale, at) => ((end === 0 ? highest : 0) - zeroOf(start, at)) * scale),
  ) as [Float64Array, Float64Array];

  const gridNow = (): Grid => {
    const scales = start.scales.slice();
    const zeroPoints = start.zeroPoints?.slice();
    for (let at = 0; at < scales.length; at++) {
      if (symmetric) scales[at] = toType(start.scales[at]! * alpha[at]!) || start.scales[at]!;
      else if (whole && zeroPoints) {
        const span = tops[at]! * alpha[at]! - bottoms[at]! * beta[at]!;
        scales[at] = toType(span / highest) || start.scales[at]!;
        zeroPoints[at] = Math.max(0, Math.min(highest, round((-bottoms[at]! * beta[at]!) / scales[at]!)));
      }
    }
    const codes = new Uint8Array(rows * columns);
    const grid: Grid = { bits, rows, columns, blockSize, blocks, codes, scales, zeroPoints };
    for (let i = 0; i < codes.length; i++) {
      const at = Math.floor(i / columns) * blocks + Math.floor((i % columns) / blockSize);
      const code = round(w[i]! / scales[at]! + v[i]! + zeroOf(grid, at));
      codes[i] = Math.min(highest, Math.max(lowest, code));
    }
    return grid;
  };

  let best = start;
  let least = loss.losses(rowErrors(w, start));
  const every = Math.max(1, Math.floor(steps / CHECKS));
  const [scaleSlopes, zeroSlopes] = [new Float64Array(rows * blocks), new Float64Array(rows * blocks)];
  for (let count = 0; count <= steps; count++) {
    const grid = gridNow();
    const d = rowErrors(w, grid);
    if (count > 0 && (count % every === 0 || count === steps)) {
      const losses = loss.losses(d);
      best = keepBetter(grid, losses, best, least);
      least = least.map((known, row) => Math.min(known, losses[row]!));
    }
    if (count === steps) break;
    const gradient = loss.gradient(d).data;
    const rate = learningRate * (1 - count / steps);
    scaleSlopes.fill(0);
    zeroSlopes.fill(0);
    for (let i = 0; i < v.length; i++) {
      const at = Math.floor(i / columns) * blocks + Math.floor((i % columns) / blockSize);
      const [scale, zero, code] = [grid.scales[at]!, zeroOf(grid, at), grid.codes[i]!];
      const exact = w[i]! / scale + v[i]! + zero;
      const clipped = exact < lowest - 1 / 2 || exact > highest + 1 / 2;
      // ∂ŵ/∂scale: code - zero, less w / scale where rounding passes it on
      scaleSlopes[at]! += gradient[i]! * (code - zero - (clipped ? 0 : w[i]! / scale));
      if (clipped) zeroSlopes[at]! -= gradient[i]! * scale;
      else v[i] = Math.min(1 / 2, Math.max(-1 / 2, v[i]! - rate * Math.sign(gradient[i]! * scale)));
    }
    const moved = (part: number, slope: number) => Math.min(1, Math.max(LEAST_PART, part - rate * Math.sign(slope)));
    for (let at = 0; at < alpha.length; at++) {
      if (symmetric) alpha[at] = moved(alpha[at]!, scaleSlopes[at]! * start.scales[at]!);
      else if (whole) {
        const [top, bottom] = [tops[at]! / highest, -bottoms[at]! / highest];
        // zero = -bottom β / scale moves with β, and with the scale that α and β make
        const scale = grid.scales[at]!;
        const zeroByScale = -zeroOf(grid, at) / scale;
        const slope = scaleSlopes[at]! + zeroSlopes[at]! * zeroByScale;
        alpha[at] = moved(alpha[at]!, slope * top);
        beta[at] = moved(beta[at]!, slope * bottom + (zeroSlopes[at]! * -bottoms[at]!) / scale);
      }
    }
  }
  return best;
};

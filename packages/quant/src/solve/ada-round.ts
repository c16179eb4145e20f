import type { Rng } from "@espalier/core";
import { type Matrix, matrix } from "@espalier/core/linalg";
import { type Grid, type GridOptions, highestOf, middleOf } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { adam } from "./adam.ts";
import { type CodeRange, flipRow } from "./flips.ts";
import { type GramLoss, gramLoss } from "./gram-loss.ts";
import { keepBetter, rowErrors } from "./row-errors.ts";

export interface AdaRoundSettings {
  /** Steps of Adam. */
  readonly steps: number;
  readonly learningRate: number;
  /** Weight of the regularizer beside a row's loss, which is counted in shares of what rounding to nearest loses. */
  readonly regularization: number;
}

/** Stretch of the sigmoid. Source: arXiv:2004.10568, eq. 23 (ζ, γ). */
const [ZETA, GAMMA] = [1.1, -0.1];
/** The exponent of the regularizer falls from 20 to 2; it is off for the first fifth of the steps. */
const [FIRST_BETA, LAST_BETA, WARM_UP] = [20, 2, 0.2];

/** h(V) = clip(σ(V) (ζ - γ) + γ, 0, 1) */
export const rectifiedSigmoid = (v: number): number =>
  Math.min(1, Math.max(0, (ZETA - GAMMA) / (1 + Math.exp(-v)) + GAMMA));

/** V with h(V) = share, for a share in [0, 1]. */
export const inverseSigmoid = (share: number): number => -Math.log((ZETA - GAMMA) / (share - GAMMA) - 1);

const sigmoidSlope = (v: number): number => {
  const sigmoid = 1 / (1 + Math.exp(-v));
  return (ZETA - GAMMA) * sigmoid * (1 - sigmoid);
};

/** The exponent β at a share of the steps, on half a cosine; undefined while it warms up. */
const betaAt = (share: number): number | undefined =>
  share < WARM_UP
    ? undefined
    : LAST_BETA + ((FIRST_BETA - LAST_BETA) * (1 + Math.cos((Math.PI * (share - WARM_UP)) / (1 - WARM_UP)))) / 2;

/** d/dh (1 - |2h - 1|^β) */
const regularizerSlope = (h: number, beta: number): number => {
  const u = 2 * h - 1;
  return -2 * beta * Math.sign(u) * Math.abs(u) ** (beta - 1);
};

/** w / scale + zero of every weight: where it lies between codes. */
const places = (w: ArrayLike<number>, { bits, rows, columns, blockSize, blocks, scales, zeroPoints }: Grid) => {
  const found = new Float64Array(rows * columns);
  for (let i = 0; i < found.length; i++) {
    const at = Math.floor(i / columns) * blocks + Math.floor((i % columns) / blockSize);
    found[i] = w[i]! / scales[at]! + (zeroPoints ? zeroPoints[at]! : middleOf(bits));
  }
  return found;
};

/** h of each weight after annealing; what stays between 0 and 1 is rounded to the nearer one. */
const soften = (
  at: Float64Array,
  grid: Grid,
  { lowest, highest }: CodeRange,
  loss: GramLoss,
  nearestLoss: Float64Array,
  { steps, learningRate, regularization }: AdaRoundSettings,
): Float64Array => {
  const { rows, columns, blockSize, blocks, scales } = grid;
  const v = at.map((place) => inverseSigmoid(place - Math.floor(place)));
  const [d, slopes] = [matrix(rows, columns), new Float64Array(rows * columns)];
  const step = adam(v, learningRate);
  for (let count = 0; count < steps; count++) {
    for (let i = 0; i < v.length; i++) {
      const code = Math.floor(at[i]!) + rectifiedSigmoid(v[i]!);
      const scale = scales[Math.floor(i / columns) * blocks + Math.floor((i % columns) / blockSize)]!;
      d.data[i] = (Math.min(highest, Math.max(lowest, code)) - at[i]!) * scale;
    }
    const gradient = loss.gradient(d).data;
    const beta = betaAt(count / steps);
    for (let row = 0; row < rows; row++) {
      const share = nearestLoss[row]! > 0 ? 2 / nearestLoss[row]! : 0;
      for (let i = row * columns; i < (row + 1) * columns; i++) {
        const h = rectifiedSigmoid(v[i]!);
        const floor = Math.floor(at[i]!);
        const scale = scales[row * blocks + Math.floor((i % columns) / blockSize)]!;
        const clipped = floor < lowest || floor >= highest;
        let slope = clipped ? 0 : share * scale * gradient[i]!;
        if (beta !== undefined) slope += (regularization / columns) * regularizerSlope(h, beta);
        slopes[i] = h > 0 && h < 1 ? slope * sigmoidSlope(v[i]!) : 0;
      }
    }
    step(slopes);
  }
  return v.map(rectifiedSigmoid);
};

export interface AdaRounded {
  readonly grid: Grid;
  /** Share of the weights whose h was neither 0 nor 1 when the steps were done. */
  readonly undecided: number;
}

/**
 * AdaRound of rows that see the same input: each weight goes to the code below or above it, so that the output of the
 * layer changes least, which its Gram matrix tells without the samples.
 *
 *     ŵ = scale (clip(⌊w / scale⌋ + h(V)) )    min over V of (ŵ - w) H (ŵ - w)ᵀ + λ Σ (1 - |2 h(V) - 1|^β)
 *
 * by Adam, β from 20 to 2. Then single flips that lower the loss are made, and a row that rounding to nearest serves
 * better keeps that. Guarantee: no row loses more than by rounding to nearest, `quantizeRows` with the same options.
 * Source: arXiv:2004.10568, eqs. 21 to 24.
 *
 * @param w    [rows, columns]
 * @param gram [columns, columns], XᵀX of what the rows meet
 */
export const adaRoundRows = (
  w: Float32Array,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  options: GridOptions,
  gram: Matrix,
  settings: AdaRoundSettings,
  rng: Rng,
): AdaRounded => {
  const nearest = quantizeRows(w, rows, columns, options);
  const { bits = 8, symmetric = true, range = "full" } = options;
  const codeRange = { lowest: symmetric && range === "narrow" ? 1 : 0, highest: highestOf(bits) };
  const loss = gramLoss(gram, rng);
  const errors = rowErrors(w, nearest);
  const nearestLoss = loss.losses(errors);
  const at = places(w, nearest);
  const h = soften(at, nearest, codeRange, loss, nearestLoss, settings);
  const codes = new Uint8Array(rows * columns);
  let undecided = 0;
  for (let i = 0; i < codes.length; i++) {
    if (h[i]! > 0 && h[i]! < 1) undecided++;
    const code = Math.floor(at[i]!) + (h[i]! >= 1 / 2 ? 1 : 0);
    codes[i] = Math.min(codeRange.highest, Math.max(codeRange.lowest, code));
  }
  const grid = { ...nearest, codes };
  const d = rowErrors(w, grid);
  const floors = at.map(Math.floor);
  for (let row = 0; row < rows; row++) {
    const [from, to] = [row * columns, (row + 1) * columns];
    flipRow(grid, row, floors.subarray(from, to), codeRange, d.data.subarray(from, to), gram);
  }
  return { grid: keepBetter(grid, loss.losses(d), nearest, nearestLoss), undecided: undecided / codes.length };
};

import { type PassKernels, roundToHalf } from "@espalier/core";
import {
  compensatingSweep,
  inverseFactor,
  linearAlgebra,
  type Matrix,
  matrix,
  SWEEP_BLOCK,
} from "@espalier/core/linalg";
import { type Grid, type GridOptions, highestOf, middleOf } from "../grid/grid.ts";
import { nearest } from "../grid/nearest.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { moveCodes, moveScales, moveZeros, type Refined } from "./refine.ts";
import { keepBetter, rowErrors } from "./row-errors.ts";

export interface GptqSolveOptions {
  /** Added to the diagonal of H, as a share of its mean; more where that does not make it definite. */
  readonly damp?: number;
  /** Columns in the order of their importance, the most important first; scales are then chosen beforehand. */
  readonly activationOrder?: boolean;
  /** Scales of all blocks are chosen from the weight as it was, and not of each block when the sweep reaches it. */
  readonly staticGroups?: boolean;
  /** Columns after which the rest of a row is updated. */
  readonly sweepBlock?: number;
  /** Rounds of moving codes and scales to where the error is less, after the sweep. */
  readonly refine?: number;
  readonly kernels?: PassKernels | undefined;
}

/** What a sweep over rows of a layer needs of its input, made once for all of them. */
export interface GptqInput {
  /** [columns, columns], damped, in the weight's own order */
  readonly H: Matrix;
  /** What was added to the diagonal. */
  readonly damping: number;
  /** order[i] is the column that is stored i-th. */
  readonly order: Uint32Array;
  /** UᵀU = H⁻¹ in that order. */
  readonly U: Matrix;
  /** [columns], the diagonal of H before damping */
  readonly importance: Float64Array;
  readonly dead: Uint8Array;
}

/** Rounds of moving codes before scales are fitted again. */
const CODE_ROUNDS = 3;

/** H with rows and columns in another order. */
const permuted = ({ columns: n, data }: Matrix, order: Uint32Array): Matrix => {
  const out = matrix(n, n);
  for (let i = 0; i < n; i++)
    for (let j = 0, from = order[i]! * n; j < n; j++) out.data[i * n + j] = data[from + order[j]!]!;
  return out;
};

/** @param gram XᵀX / n */
export const gptqInput = (
  gram: Matrix,
  { damp = 0.01, activationOrder = true, kernels }: Pick<GptqSolveOptions, "damp" | "activationOrder" | "kernels"> = {},
): GptqInput => {
  const n = gram.columns;
  const importance = Float64Array.from({ length: n }, (_, j) => gram.data[j * n + j]!);
  const order = Uint32Array.from({ length: n }, (_, j) => j);
  if (activationOrder) order.sort((a, b) => importance[b]! - importance[a]! || a - b);
  const { U, dead: turnedDead, damping } = inverseFactor(activationOrder ? permuted(gram, order) : gram, damp, kernels);
  const dead = new Uint8Array(n);
  order.forEach((column, i) => {
    dead[column] = turnedDead[i]!;
  });
  const H = matrix(n, n, gram.data.slice());
  for (let j = 0; j < n; j++) H.data[j * n + j]! += damping + (dead[j] ? 1 : 0);
  return { H, damping, order, U, importance, dead };
};

/** Error of each row: d (H - damping I) dᵀ, for d H at hand. */
const errorsOf = ({ rows, columns, data: d }: Matrix, pull: Float64Array, damping: number) => {
  const errors = new Float64Array(rows);
  for (let r = 0, at = 0; r < rows; r++)
    for (let j = 0; j < columns; j++, at++) errors[r]! += d[at]! * (pull[at]! - damping * d[at]!);
  return errors;
};

/**
 * The rows of a weight on a grid, so that what they make of the input is nearest to what it was: columns are rounded one
 * after the other, each one's error made up for by those that follow; then codes and scales are moved, in turn, to where
 * the error is less.
 *
 *     error of a row = (w - ŵ) H (w - ŵ)ᵀ      H = XᵀX / n
 *
 * Guarantee: the error of no row, without damping, is above that of
 * rounding to nearest on the grid of the same options. Source: GPTQ, arXiv:2210.17323; QuantEase, arXiv:2309.01885.
 *
 * @param w [rows, columns]
 */
export const gptqRows = (
  w: Float32Array,
  rows: number,
  input: GptqInput,
  options: GridOptions,
  { activationOrder = true, staticGroups = true, sweepBlock = SWEEP_BLOCK, refine = 2, kernels }: GptqSolveOptions = {},
): Grid => {
  const { matmul } = linearAlgebra(kernels);
  const { H, damping, order, U, importance, dead } = input;
  const columns = H.columns;
  const { bits = 8, blockSize = columns, symmetric = true, range = "full", scaleType = "float32" } = options;
  const live = w.slice();
  for (let i = 0; i < live.length; i++) if (dead[i % columns]) live[i] = 0;
  const weighted: GridOptions = options.clip === "mse" ? { ...options, importance } : options;
  const start = quantizeRows(live, rows, columns, weighted);
  const scales = start.scales.slice();
  const zeroPoints = start.zeroPoints?.slice();
  const { blocks } = start;
  const codes = new Uint8Array(rows * columns);
  const highest = highestOf(bits);
  const lowest = symmetric && range === "narrow" ? 1 : 0;
  const middle = middleOf(bits);
  const zeroOf = (at: number) => (zeroPoints ? zeroPoints[at]! : middle);

  // the sweep, columns in their order
  const moving = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < columns; i++) moving[r * columns + i] = live[r * columns + order[i]!]!;
  const inTurn = !staticGroups && !activationOrder && blocks > 1;
  const group = new Float32Array(blockSize);
  compensatingSweep(moving, columns, U, {
    blockSize: inTurn ? blockSize * Math.ceil(sweepBlock / blockSize) : sweepBlock,
    kernels,
    store(value, r, i) {
      const column = order[i]!;
      const at = r * blocks + Math.floor(column / blockSize);
      if (inTurn && column % blockSize === 0) {
        const width = Math.min(blockSize, columns - column);
        for (let k = 0; k < width; k++) group[k] = moving[r * columns + column + k]!;
        const now = quantizeRows(group.subarray(0, width), 1, width, {
          ...weighted,
          blockSize: width,
          ...(weighted.importance && { importance: importance.subarray(column, column + width) }),
        });
        scales[at] = now.scales[0]!;
        if (zeroPoints && now.zeroPoints) zeroPoints[at] = now.zeroPoints[0]!;
      }
      const zero = zeroOf(at);
      let code = Number.isInteger(zero) ? nearest(value / scales[at]!) + zero : nearest(value / scales[at]! + zero);
      if (code < lowest) code = lowest;
      else if (code > highest) code = highest;
      codes[r * columns + column] = code;
      return (code - zero) * scales[at]!;
    },
  });
  const grid: Grid = { bits, rows, columns, blockSize, blocks, codes, scales, zeroPoints };

  // codes and scales in turn
  const pull = matmul(rowErrors(live, grid), H).data;
  const round = scaleType === "float16" ? roundToHalf : Math.fround;
  const refined: Refined = { codes, scales, zeroPoints, middle, blockSize, lowest, highest, round, pull, H };
  const settle = () => {
    for (let i = 0; i < CODE_ROUNDS && moveCodes(refined) > 0; i++);
  };
  if (refine > 0) settle();
  for (let turn = 0; turn < refine; turn++) {
    moveScales(refined, kernels);
    moveZeros(refined);
    settle();
  }

  const plain = quantizeRows(w, rows, columns, { ...options, clip: "none" });
  const plainErrors = rowErrors(w, plain);
  for (let i = 0; i < plainErrors.data.length; i++) if (dead[i % columns]) plainErrors.data[i] = 0;
  return keepBetter(
    grid,
    errorsOf(rowErrors(live, grid), pull, damping),
    plain,
    errorsOf(plainErrors, matmul(plainErrors, H).data, damping),
  );
};

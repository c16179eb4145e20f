import { createRng } from "@espalier/core";
import { compensatingSweep, gramMatrix, inverseFactor, type Matrix, matmul, matrix } from "@espalier/core/linalg";
import { gaussian } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { dequantizeRows, type Grid, type GridOptions } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { type GptqSolveOptions, gptqInput, gptqRows } from "./gptq.ts";
import { moveCodes, moveScales, moveZeros, type Refined } from "./refine.ts";
import { rowErrors } from "./row-errors.ts";

const [ROWS, COLUMNS] = [24, 96];

/** XᵀX / n of inputs that depend on one another, some of them large. */
const gramOfInputs = (columns: number, seed: number, samples = 400): Matrix => {
  const rng = createRng(seed);
  const size = Float64Array.from({ length: columns }, () => Math.exp(1.2 * rng.normal()));
  const base = gaussian([samples, 12], seed + 1).data;
  const mix = gaussian([12, columns], seed + 2).data;
  const noise = gaussian([samples, columns], seed + 3, 0.4).data;
  const x = matmul(matrix(samples, 12, base), matrix(12, columns, mix));
  const gram = gramMatrix(
    matrix(
      samples,
      columns,
      x.data.map((v, i) => (v + noise[i]!) * size[i % columns]!),
    ),
  );
  return { ...gram, data: gram.data.map((v) => v / samples) };
};

/** Error of each row's output, by plain loops. */
const errors = (w: Float32Array, grid: Grid, H: Matrix): number[] => {
  const d = rowErrors(w, grid).data;
  const n = H.columns;
  return Array.from({ length: grid.rows }, (_, r) => {
    let sum = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) sum += d[r * n + i]! * H.data[i * n + j]! * d[r * n + j]!;
    return sum;
  });
};
const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

const solve = (w: Float32Array, H: Matrix, options: GridOptions, given: GptqSolveOptions = {}) =>
  gptqRows(w, w.length / H.columns, gptqInput(H, given), options, given);

const weights = (seed: number, rows = ROWS, columns = COLUMNS) => gaussian([rows, columns], seed).data;
const plainSweep = { activationOrder: false, refine: 0 } as const;

describe("gptqRows", () => {
  it("QL-01: with a diagonal H, gives the codes of rounding to nearest", () => {
    const H = matrix(COLUMNS, COLUMNS);
    for (let j = 0; j < COLUMNS; j++) H.data[j * COLUMNS + j] = 1 + (j % 7);
    const w = weights(1);
    for (const options of [{ bits: 4 }, { bits: 3, blockSize: 32, symmetric: false }] as const)
      for (const given of [plainSweep, { refine: 0 }])
        expect(solve(w, H, options, given).codes).toEqual(quantizeRows(w, ROWS, COLUMNS, options).codes);
  });

  it("QL-01: updates put off by blocks of 1, 16 and 128 columns give the same codes", () => {
    const H = gramOfInputs(COLUMNS, 3);
    const [first, ...others] = [1, 16, 128].map((sweepBlock) =>
      solve(weights(2), H, { bits: 3, blockSize: 16 }, { ...plainSweep, sweepBlock }),
    );
    for (const other of others) expect(other.codes).toEqual(first!.codes);
  });

  it("QL-01: the sum of squared steps of the sweep is the output error, within 1e-9", () => {
    const H = gramOfInputs(COLUMNS, 4);
    const w = weights(5);
    const { U } = inverseFactor(H, 0);
    const moving = Float64Array.from(w);
    const losses = compensatingSweep(moving, COLUMNS, U, {
      blockSize: 32,
      store: (value) => Math.round(2 * value) / 2,
    });
    for (let r = 0; r < ROWS; r++) {
      let sum = 0;
      for (let i = 0; i < COLUMNS; i++)
        for (let j = 0; j < COLUMNS; j++) {
          const [a, b] = [r * COLUMNS + i, r * COLUMNS + j];
          sum += (w[a]! - moving[a]!) * H.data[i * COLUMNS + j]! * (w[b]! - moving[b]!);
        }
      expect(Math.abs(losses[r]! / sum - 1)).toBeLessThan(1e-9);
    }
  });

  it("QL-01: at 2, 3 and 4 bits the sweep errs at most 0.6 times as much as rounding to nearest; activation order less; moving codes 0.97 times as much as that", () => {
    for (const bits of [2, 3, 4] as const) {
      const sums = [0, 0, 0, 0];
      for (let seed = 10; seed < 15; seed++) {
        const H = gramOfInputs(COLUMNS, seed);
        const w = weights(seed);
        const options: GridOptions = { bits };
        sums[0]! += total(errors(w, quantizeRows(w, ROWS, COLUMNS, options), H));
        for (const [i, given] of [plainSweep, { refine: 0 }, {}].entries())
          sums[i + 1]! += total(errors(w, solve(w, H, options, given), H));
      }
      const [nearest, sweep, ordered, moved] = sums as [number, number, number, number];
      expect(sweep).toBeLessThan(0.6 * nearest);
      expect(ordered).toBeLessThan(sweep);
      expect(moved).toBeLessThan(0.97 * ordered);
    }
  });

  it("QL-01: no row errs more than by rounding to nearest, whatever the grid, with few samples, dead inputs and an infinite-looking condition", () => {
    const few = gramOfInputs(COLUMNS, 20, 8);
    const dead = gramOfInputs(COLUMNS, 21);
    for (const j of [3, 40])
      for (let i = 0; i < COLUMNS; i++) dead.data[j * COLUMNS + i] = dead.data[i * COLUMNS + j] = 0;
    const huge = gramOfInputs(COLUMNS, 22);
    for (let i = 0; i < COLUMNS; i++) {
      huge.data[i]! *= 1e6;
      huge.data[i * COLUMNS]! *= 1e6;
    }
    const zero = matrix(COLUMNS, COLUMNS);
    for (const H of [few, dead, huge, zero])
      for (const options of [
        { bits: 4, clip: "mse" },
        { bits: 2, blockSize: 40, symmetric: false, clip: "mse", scaleType: "float16" },
        { bits: 3, blockSize: 32, symmetric: false, zeroPoint: "float" },
        { bits: 8, range: "narrow" },
      ] as const)
        for (const given of [{}, { damp: 0 }, { activationOrder: false, staticGroups: false }]) {
          const w = weights(23);
          const made = solve(w, H, options, given);
          const plain = errors(w, quantizeRows(w, ROWS, COLUMNS, { ...options, clip: "none" }), H);
          for (const [r, error] of errors(w, made, H).entries())
            expect(error).toBeLessThanOrEqual(plain[r]! * (1 + 1e-6) + 1e-12);
          expect(dequantizeRows(made).every(Number.isFinite)).toBe(true);
          if (options.range === "narrow") expect(Math.min(...made.codes)).toBeGreaterThan(0);
        }
  });
});

describe("moving codes, scales and zero points", () => {
  it("no row's error grows at any step, and the pull kept up to date is that of the grid", () => {
    const H = gramOfInputs(COLUMNS, 30);
    const w = weights(31);
    const made = quantizeRows(w, ROWS, COLUMNS, { bits: 3, blockSize: 32, symmetric: false });
    const { codes, scales, zeroPoints } = made;
    const pull = matmul(rowErrors(w, made), H).data;
    const grid = { middle: 4, blockSize: 32, lowest: 0, highest: 7, round: Math.fround };
    const refined: Refined = { codes, scales, zeroPoints, ...grid, pull, H };
    let before = errors(w, made, H);
    const first = total(before);
    for (const step of [moveCodes, moveScales, moveZeros, moveCodes, moveScales]) {
      step(refined);
      const after = errors(w, made, H);
      for (const [r, error] of after.entries()) expect(error).toBeLessThanOrEqual(before[r]! * (1 + 1e-9));
      before = after;
    }
    expect(total(before)).toBeLessThan(0.6 * first);
    const exact = matmul(rowErrors(w, made), H).data;
    for (const [i, value] of exact.entries()) expect(Math.abs(value - pull[i]!)).toBeLessThan(1e-9);
  });
});

describe("a search weighed by importance", () => {
  it("errs less, so weighed, than the extreme's scale and the plain search, symmetric and affine", () => {
    const importance = Float64Array.from({ length: COLUMNS }, (_, j) => Math.exp(2 * Math.sin(j * 1.7)));
    const w = weights(40, 64);
    const weighed = (grid: Grid) =>
      rowErrors(w, grid).data.reduce((sum, d, i) => sum + d * d * importance[i % COLUMNS]!, 0);
    for (const options of [{ symmetric: true }, { symmetric: false }])
      for (const bits of [2, 3, 4] as const) {
        const given = { bits, blockSize: 32, ...options };
        const own = weighed(quantizeRows(w, 64, COLUMNS, { ...given, clip: "mse", importance }));
        expect(own).toBeLessThan(0.9 * weighed(quantizeRows(w, 64, COLUMNS, given)));
        expect(own).toBeLessThan(weighed(quantizeRows(w, 64, COLUMNS, { ...given, clip: "mse" })));
      }
  });
});

import { createRng } from "@espalier/core";
import { gramMatrix, type Matrix, matmul, matrix } from "@espalier/core/linalg";
import { gaussian } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { dequantizeRows, type Grid, type GridOptions } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { adaRoundRows, inverseSigmoid, rectifiedSigmoid } from "./ada-round.ts";
import { gramLoss } from "./gram-loss.ts";
import { rowErrors } from "./row-errors.ts";
import { signRoundRows } from "./sign-round.ts";

const settings = { steps: 400, learningRate: 0.05, regularization: 10 };

const random = (rows: number, columns: number, seed: number): Matrix =>
  matrix(rows, columns, gaussian([rows * columns], seed).data);

/** XᵀX of inputs that are nearly of rank `rank`. */
const lowRank = (columns: number, rank: number, seed: number, noise = 0.1): Matrix => {
  const x = matmul(random(200, rank, seed), random(rank, columns, seed + 1000));
  const more = random(200, columns, seed + 2000);
  return gramMatrix({ ...x, data: x.data.map((value, i) => value + noise * more.data[i]!) });
};

const lossOf = (w: Float32Array, grid: Grid, gram: Matrix): Float64Array =>
  gramLoss(gram, createRng(0)).losses(rowErrors(w, grid));

/** The least loss of all codes next to each weight, on the grid's scales. */
const bruteForce = (w: Float32Array, grid: Grid, gram: Matrix): number => {
  const n = grid.columns;
  const floors = Array.from(w, (value) => Math.floor(value / grid.scales[0]! + 8));
  let least = Number.POSITIVE_INFINITY;
  for (let mask = 0; mask < 2 ** n; mask++) {
    const codes = Uint8Array.from(floors, (floor, i) => Math.min(15, Math.max(0, floor + ((mask >> i) & 1))));
    least = Math.min(least, lossOf(w, { ...grid, codes }, gram)[0]!);
  }
  return least;
};

describe("Q-12: AdaRound on Gram matrices", () => {
  const trials = Array.from({ length: 20 }, (_, seed) => {
    const w = gaussian([10], seed + 1).data;
    const gram = lowRank(10, 3, seed + 50);
    const nearest = quantizeRows(w, 1, 10, { bits: 4 });
    const { grid } = adaRoundRows(w, { rows: 1, columns: 10 }, { bits: 4 }, gram, settings, createRng(1));
    const best = bruteForce(w, nearest, gram);
    return { nearest: lossOf(w, nearest, gram)[0]! / best, learnt: lossOf(w, grid, gram)[0]! / best };
  });
  const geometric = (values: readonly number[]) =>
    Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

  it("is never above rounding to nearest on 20 problems of 10 weights, and below it on at least 18", () => {
    for (const { nearest, learnt } of trials) expect(learnt).toBeLessThanOrEqual(nearest);
    expect(trials.filter(({ nearest, learnt }) => learnt < nearest).length).toBeGreaterThanOrEqual(18);
  });

  it("loses at most 3 times what the best of 2^10 roundings does, in the geometric mean, and a fifth of nearest", () => {
    const learnt = geometric(trials.map((trial) => trial.learnt));
    expect(learnt).toBeLessThan(3);
    expect(learnt).toBeLessThan(geometric(trials.map(({ nearest }) => nearest)) / 5);
  });

  it.each([4, 2] as const)("gives the codes of rounding to nearest for a diagonal Gram matrix, at %d bits", (bits) => {
    const w = gaussian([6 * 24], 3).data;
    const gram = matrix(24, 24);
    for (let i = 0; i < 24; i++) gram.data[25 * i] = 1 + i;
    const { grid } = adaRoundRows(w, { rows: 6, columns: 24 }, { bits }, gram, settings, createRng(1));
    expect(grid.codes).toEqual(quantizeRows(w, 6, 24, { bits }).codes);
  });

  it("leaves at most 2 % of 1,536 weights undecided after annealing", () => {
    const w = gaussian([32 * 48], 5).data;
    const { undecided } = adaRoundRows(
      w,
      { rows: 32, columns: 48 },
      { bits: 4 },
      lowRank(48, 8, 7),
      settings,
      createRng(1),
    );
    expect(undecided).toBeLessThan(0.02);
  });

  it("h of the first V is the share above the floor, to 1e-12", () => {
    for (const share of [0, 0.1, 0.5, 0.999]) expect(rectifiedSigmoid(inverseSigmoid(share))).toBeCloseTo(share, 12);
  });
});

const rules = {
  adaRound: (w: Float32Array, shape: { rows: number; columns: number }, options: GridOptions, gram: Matrix) =>
    adaRoundRows(w, shape, options, gram, { ...settings, steps: 150 }, createRng(2)).grid,
  signRound: (w: Float32Array, shape: { rows: number; columns: number }, options: GridOptions, gram: Matrix) =>
    signRoundRows(w, shape, options, gram, { steps: 200 }, createRng(2)),
};

describe.each(Object.entries(rules))("%s", (name, rule) => {
  const id = name === "adaRound" ? "Q-12" : "QL-06";
  const grids: readonly GridOptions[] = [
    { bits: 4 },
    { bits: 4, clip: "mse", blockSize: 16 },
    { bits: 3, symmetric: false },
    { bits: 2, symmetric: false, blockSize: 32, scaleType: "float16" },
    { bits: 4, symmetric: false, zeroPoint: "float" },
    { bits: 8, range: "narrow" },
  ];

  it.each(grids)(
    `${id}: no row loses more than by rounding to nearest, their sum at most 0.95 times, on %j`,
    (options) => {
      for (const columns of [40, 128]) {
        const w = gaussian([12 * columns], 11).data;
        const gram = lowRank(columns, 10, 12);
        const nearest = lossOf(w, quantizeRows(w, 12, columns, options), gram);
        const learnt = lossOf(w, rule(w, { rows: 12, columns }, options, gram), gram);
        for (let row = 0; row < 12; row++) expect(learnt[row]).toBeLessThanOrEqual(nearest[row]!);
        const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
        expect(sum(learnt)).toBeLessThan(0.95 * sum(nearest));
      }
    },
  );

  it(`${id}: keeps a narrow grid's codes off its lowest, and a dead input's weights finite`, () => {
    const w = gaussian([4 * 16], 21).data;
    const gram = lowRank(16, 4, 22);
    for (let i = 0; i < 16; i++) gram.data[i] = gram.data[16 * i] = 0;
    const grid = rule(w, { rows: 4, columns: 16 }, { bits: 4, range: "narrow" }, gram);
    expect(Math.min(...grid.codes)).toBeGreaterThanOrEqual(1);
    expect(dequantizeRows(grid).every(Number.isFinite)).toBe(true);
  });
});

describe("QL-06: SignRound on Gram matrices", () => {
  it("without steps is rounding to nearest, to the bit", () => {
    const w = gaussian([8 * 32], 31).data;
    for (const options of [{ bits: 3 }, { bits: 3, symmetric: false, blockSize: 8 }] as const) {
      const grid = signRoundRows(w, { rows: 8, columns: 32 }, options, lowRank(32, 4, 5), { steps: 0 }, createRng(0));
      const nearest = quantizeRows(w, 8, 32, options);
      expect([grid.codes, grid.scales, grid.zeroPoints]).toEqual([nearest.codes, nearest.scales, nearest.zeroPoints]);
    }
  });

  it("moves no weight more than one step and a half of its first grid, V staying in [-1/2, 1/2]", () => {
    const w = gaussian([8 * 32], 41).data;
    const grid = signRoundRows(
      w,
      { rows: 8, columns: 32 },
      { bits: 4 },
      lowRank(32, 4, 42),
      { steps: 100 },
      createRng(0),
    );
    const back = dequantizeRows(grid);
    for (let i = 0; i < w.length; i++) {
      const row = Math.floor(i / 32);
      const most = Math.abs(grid.scales[row]!);
      const inside = Math.abs(w[i]! / grid.scales[row]!) < 7;
      if (inside) expect(Math.abs(back[i]! - w[i]!)).toBeLessThanOrEqual(most * 1.0001);
    }
  });
});

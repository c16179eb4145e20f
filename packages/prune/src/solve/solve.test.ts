import { createRng } from "@espalier/core";
import { cholesky, inverseFactor, invertCholesky, type Matrix, matrix } from "@espalier/core/linalg";
import { describe, expect, it } from "vitest";
import { outputError, randomGram } from "../../test/toy.ts";
import { roundHalfEven } from "../half-even.ts";
import { obsTrace, restrictedRow, shareOut } from "./exact-obs.ts";
import { sparseGptSweep } from "./sparse-gpt.ts";

const normals = (count: number, seed: number) => {
  const rng = createRng(seed);
  return Float64Array.from({ length: count }, () => rng.normal());
};
const inverseOf = (H: Matrix) => invertCholesky(cholesky(H)!);

/** The published loop, one column after the other, nothing put off. */
const naiveSweep = (w: Float64Array, U: Matrix, mask: Uint8Array) => {
  const n = U.columns;
  for (let j = 0; j < n; j++)
    for (let at = j; at < w.length; at += n) {
      if (!mask[at]) continue;
      const error = w[at] / U.data[j * n + j];
      for (let k = j; k < n; k++) w[at - j + k] -= error * U.data[j * n + k];
      w[at] = 0;
    }
};

describe("the inverse factor", () => {
  it("is upper, and UᵀU (H + damping) is the identity within 1e-9; inputs that are always zero count as 1", () => {
    const n = 37;
    const H = randomGram(n, 1);
    for (let i = 0; i < n; i++) H.data[5 * n + i] = H.data[i * n + 5] = 0;
    const { U, dead } = inverseFactor(H, 0.01);
    expect([...dead].flatMap((is, j) => (is ? [j] : []))).toEqual([5]);
    H.data[5 * n + 5] = 1;
    let mean = 0;
    for (let i = 0; i < n; i++) mean += H.data[i * n + i] / n;
    for (let i = 0; i < n; i++) H.data[i * n + i] += 0.01 * mean;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let k = 0; k < n; k++)
          for (let l = 0; l <= k; l++)
            if (l <= i) sum += k < n && l < n ? U.data[l * n + i] * U.data[l * n + k] * H.data[k * n + j] : 0;
        expect(Math.abs(sum - (i === j ? 1 : 0))).toBeLessThan(1e-9);
        if (j < i) expect(U.data[i * n + j]).toBe(0);
      }
  });
});

describe("sparseGptSweep", () => {
  it("PL-02: with a given mask, blocks of any size give the column loop's result within 1e-6", () => {
    const [rows, n] = [9, 50];
    const { U } = inverseFactor(randomGram(n, 2), 0.01);
    const rng = createRng(3);
    const mask = Uint8Array.from({ length: rows * n }, () => rng.below(2));
    const expected = normals(rows * n, 4);
    naiveSweep(expected, U, mask);
    for (const blockSize of [1, 7, 16, 128]) {
      const w = normals(rows * n, 4);
      sparseGptSweep(w, n, U, { mask, blockSize });
      w.forEach((value, i) => {
        expect(Math.abs(value - expected[i])).toBeLessThan(1e-6);
      });
    }
  });

  it("PL-02: of inputs that are independent nothing is updated, and what goes is lowest by w² h", () => {
    const [rows, n] = [6, 20];
    const sizes = normals(n, 5).map((value) => 0.5 + value * value);
    const H = matrix(n, n);
    for (let j = 0; j < n; j++) H.data[j * n + j] = sizes[j];
    const { U } = inverseFactor(H, 0);
    const before = normals(rows * n, 6);
    const w = before.slice();
    sparseGptSweep(w, n, U, { goneBefore: (end) => (rows * end) / 2 });
    const scores = before.map((value, i) => value * value * sizes[i % n]);
    const median = scores.toSorted()[(rows * n) / 2];
    expect(w).toEqual(before.map((value, i) => (scores[i] < median ? 0 : value)));
  });

  it("PL-02: exactly the wanted share goes in every block, and N of each M with a pattern", () => {
    const [rows, n] = [5, 30];
    const { U } = inverseFactor(randomGram(n, 7), 0.01);
    const zeros = (w: Float64Array) => w.reduce((count, value) => count + (value === 0 ? 1 : 0), 0);
    const w = normals(rows * n, 8);
    sparseGptSweep(w, n, U, { blockSize: 8, goneBefore: (end) => roundHalfEven(0.7 * rows * end) });
    expect(zeros(w)).toBe(105);
    for (const pattern of [
      { keep: 2, of: 5 },
      { keep: 1, of: 3 },
    ]) {
      const v = normals(rows * n, 9);
      sparseGptSweep(v, n, U, { blockSize: 8, pattern });
      for (let from = 0; from < v.length; from += pattern.of)
        expect(zeros(v.subarray(from, from + pattern.of))).toBe(pattern.of - pattern.keep);
    }
  });

  it("C-02: zeros and rounding in one sweep leave less output error than rounding afterwards, and store codes and zeros only", () => {
    const [rows, n] = [16, 48];
    for (const seed of [10, 11, 12]) {
      const H = randomGram(n, seed);
      const { U } = inverseFactor(H, 0.01);
      const before = normals(rows * n, seed + 100);
      const step = 0.5;
      const round = (value: number) => step * roundHalfEven(value / step);
      const goneBefore = (end: number) => (rows * end) / 2;
      const [joint, after] = [before.slice(), before.slice()];
      sparseGptSweep(joint, n, U, { goneBefore, round, blockSize: 16 });
      sparseGptSweep(after, n, U, { goneBefore, blockSize: 16 });
      expect(joint.every((value) => value === round(value))).toBe(true);
      expect(outputError(joint, before, H)).toBeLessThan(outputError(after.map(round), before, H));
    }
  });
});

describe("optimal brain surgeon", () => {
  const n = 12;
  it("PL-01: after each removal the row is the least-squares solution on what is left, its error the losses' sum within 1e-8", () => {
    const H = randomGram(n, 13);
    const w = normals(n, 14);
    const { order, losses } = obsTrace(w, inverseOf(H), n);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    let sum = 0;
    for (let count = 1; count <= n; count++) {
      sum += losses[count - 1];
      const gone = order.subarray(0, count);
      const row = restrictedRow(w, H, gone);
      for (let i = 0; i < n; i++) {
        // normal equations: the residual is orthogonal to every input that stays
        let gradient = 0;
        for (let j = 0; j < n; j++) gradient += H.data[i * n + j] * (row[j] - w[j]);
        if (gone.includes(i)) expect(row[i]).toBe(0);
        else expect(Math.abs(gradient)).toBeLessThan(1e-8);
      }
      expect(Math.abs(outputError(row, w, H) / sum - 1)).toBeLessThan(1e-8);
    }
  });

  it("PL-01: of 10 inputs its choice of 5 errs at most 1.5 times as much as the best of all 252, on average 1.1 times", () => {
    const size = 10;
    const ratios = Array.from({ length: 12 }, (_, seed) => {
      const H = randomGram(size, 20 + seed);
      const w = normals(size, 40 + seed);
      const errorOf = (gone: readonly number[]) => outputError(restrictedRow(w, H, gone), w, H);
      let best = Number.POSITIVE_INFINITY;
      for (let choice = 0; choice < 2 ** size; choice++) {
        const gone = Array.from({ length: size }, (_x, i) => i).filter((i) => (choice >> i) & 1);
        if (gone.length === 5) best = Math.min(best, errorOf(gone));
      }
      return errorOf([...obsTrace(w, inverseOf(H), 5).order]) / best;
    });
    expect(Math.min(...ratios)).toBeGreaterThan(1 - 1e-9);
    expect(Math.max(...ratios)).toBeLessThan(1.5);
    expect(ratios.reduce((a, b) => a + b) / ratios.length).toBeLessThan(1.1);
  });

  it("P-08: the loss that OBS predicts is exact; OBS costs no more than OBD, OBD no more than magnitude", () => {
    for (let seed = 60; seed < 80; seed++) {
      const H = randomGram(n, seed);
      const w = normals(n, seed + 100);
      const inverse = inverseOf(H);
      const without = (q: number) => w.map((value, i) => (i === q ? 0 : value));
      const least = (scores: Float64Array) => scores.indexOf(Math.min(...scores));
      const obd = least(w.map((value, i) => H.data[i * n + i] * value * value));
      const smallest = least(w.map(Math.abs));
      const { order, losses } = obsTrace(w, inverse, 1);
      const q = order[0];
      const updated = w.map((value, j) => value - (w[q] / inverse.data[q * n + q]) * inverse.data[q * n + j]);
      expect(Math.abs(outputError(updated, w, H) / losses[0] - 1)).toBeLessThan(1e-9);
      expect(losses[0]).toBeLessThanOrEqual(outputError(without(obd), w, H));
      expect(outputError(without(obd), w, H)).toBeLessThanOrEqual(outputError(without(smallest), w, H));
    }
  });

  it("PL-01: a layer's removals are shared out to rows by what the next one costs", () => {
    const trace = (losses: number[]) => ({ order: new Int32Array(losses.length), losses: Float64Array.from(losses) });
    expect(shareOut([trace([1, 5]), trace([2, 3]), trace([4, 4])], 3)).toEqual([1, 2, 0]);
  });
});

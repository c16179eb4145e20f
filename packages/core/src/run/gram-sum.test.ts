import { describe, expect, it } from "vitest";
import { gaussianMatrix } from "../../test/matrices.ts";
import { gramSum } from "./gram-sum.ts";

/** A kernel in plain loops that notes how many rows it was given. */
const noting = (counts: number[]) => ({
  gram(sum: Float64Array, x: Float32Array, count: number, columns: number) {
    counts.push(count);
    for (let i = 0, at = 0; i < columns; i++)
      for (let j = 0; j <= i; j++, at++)
        for (let r = 0; r < count; r++) sum[at] += x[r * columns + i] * x[r * columns + j];
  },
});

describe("gramSum", () => {
  it("with a kernel equals the sum without one within 1e-12, whatever the pieces, and rows wait to be added together", () => {
    for (const [columns, pieces] of [
      [5, [1, 3, 40, 200, 2]],
      [130, [128, 128, 1]],
    ] as const) {
      const counts: number[] = [];
      const kernels = noting(counts);
      const [plain, fast] = [gramSum(columns, 2), gramSum(columns, 2)];
      for (const [seed, count] of pieces.entries()) {
        const rows = Float32Array.from(gaussianMatrix(count, columns, seed + 1).data);
        const group = seed % 2;
        plain.add(rows, count, group);
        fast.add(rows, count, group, kernels);
        rows.fill(Number.NaN);
      }
      const [a, b] = [plain.total(), fast.total()];
      for (let i = 0; i < a.length; i++) expect(Math.abs(a[i] - b[i])).toBeLessThanOrEqual(1e-12 * pieces.length * 200);
      expect(counts.reduce((sum, count) => sum + count)).toBe(pieces.reduce((sum: number, count) => sum + count, 0));
      expect(fast.total()).toEqual(b);
    }
  });

  it("adds doubles in double precision, kernel or not", () => {
    const counts: number[] = [];
    const sum = gramSum(1, 1);
    sum.add(Float64Array.of(1e30), 1, 0, noting(counts));
    expect([...sum.total()]).toEqual([1e30 * 1e30]);
    expect(counts).toEqual([]);
  });
});

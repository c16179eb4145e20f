import { describe, expect, it } from "vitest";
import { createRng } from "./rng.ts";

const many = <T>(n: number, draw: () => T) => Array.from({ length: n }, draw);

describe("createRng", () => {
  it("gives the same numbers for the same seed and others for another", () => {
    const [a, b, c] = [createRng(7), createRng(7), createRng(8)].map((rng) => many(20, rng.uniform));
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
  });

  it("forks by label, whatever was drawn before, each fork unlike its parent and its siblings", () => {
    const drawn = createRng(1);
    drawn.normal();
    expect(many(5, drawn.fork("x").uniform)).toEqual(many(5, createRng(1).fork("x").uniform));
    const streams = [createRng(1), createRng(1).fork("x"), createRng(1).fork("y"), createRng(1).fork("x").fork("x")];
    expect(new Set(streams.map((rng) => rng.uniform())).size).toBe(streams.length);
  });

  it("has the mean and variance of a uniform and of a normal distribution, within 5 standard errors at 100,000 draws", () => {
    const n = 100_000;
    const moments = (values: number[]) => {
      const mean = values.reduce((sum, v) => sum + v, 0) / n;
      return [mean, values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n];
    };
    const [uniformMean, uniformVariance] = moments(many(n, createRng(3).uniform));
    expect(Math.abs(uniformMean - 0.5)).toBeLessThan((5 * Math.sqrt(1 / 12)) / Math.sqrt(n));
    expect(Math.abs(uniformVariance - 1 / 12)).toBeLessThan((5 * Math.sqrt(1 / 180)) / Math.sqrt(n));
    const [mean, variance] = moments(many(n, createRng(3).normal));
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(variance - 1)).toBeLessThan((5 * Math.SQRT2) / Math.sqrt(n));
  });

  it("draws every integer below 7 about equally often: chi-squared at most 22.5 (p = 0.001) over 70,000 draws", () => {
    const counts = new Array<number>(7).fill(0);
    const rng = createRng(11);
    for (let i = 0; i < 70_000; i++) counts[rng.below(7)]++;
    const chi = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chi).toBeLessThan(22.5);
  });
});

import { createRng, type Layer, layers, type NormStats } from "@espalier/core";
import { tinyModels } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { outputError, toy } from "../../test/toy.ts";
import {
  cubicSchedule,
  fisherScore,
  type Score,
  taylorOfGroup,
  taylorScore,
  type Weights,
  wandaScore,
} from "../index.ts";
import { outlierShare, owlRatios } from "../ratio/owl.ts";

const layer: Layer = layers(tinyModels.mlp().model)[0];
const weights = <Stats>(w: Float32Array, columns: number, stats: Stats): Weights<Stats> => ({
  layer,
  w,
  rows: w.length / columns,
  columns,
  groups: 1,
  toRows: (values) => values,
  stats,
});
const random = (count: number, seed: number) => {
  const rng = createRng(seed);
  return Float32Array.from({ length: count }, () => rng.normal());
};

describe("scores", () => {
  it("PL-03: the square of Wanda's score is the growth of the output error when the weight goes alone, within 1e-5", () => {
    const { w, H } = toy(1);
    const columns = H.columns;
    const squares = Float64Array.from({ length: columns }, (_, j) => H.data[j * columns + j]);
    const stats: NormStats = { n: 1, columns, groups: 1, squares, absolutes: squares, largest: squares };
    const scores = wandaScore(weights(w, columns, stats));
    for (let at = 0; at < w.length; at += 97) {
      const without = w.slice();
      without[at] = 0;
      expect(Math.abs(scores[at] ** 2 / outputError(without, w, H) - 1)).toBeLessThan(1e-5);
    }
  });

  it("P-04: of a loss that is linear in the weights, the score is the square of its change, and a group's that of all", () => {
    const [w, g] = [random(20, 2), random(20, 3)];
    const score: Score = taylorScore(() => [g]);
    const found = score(weights(w, 5, undefined));
    const loss = (v: Float32Array) => v.reduce((sum, value, i) => sum + value * g[i], 0);
    found.forEach((value, i) => {
      const without = w.map((kept, j) => (i === j ? 0 : kept));
      expect(Math.abs(value - (loss(w) - loss(without)) ** 2)).toBeLessThan(1e-5);
    });
    const row = [0, 1, 2, 3, 4];
    const change = loss(w) - loss(w.map((kept, j) => (row.includes(j) ? 0 : kept)));
    expect(Math.abs(taylorOfGroup(row.map((i) => g[i] * w[i])) - change ** 2)).toBeLessThan(1e-5);
  });

  it("P-04: the square of a sum orders two groups as their removal does, where the sum of squares does not", () => {
    const [cancels, adds] = [
      [3, -3],
      [1, 1],
    ];
    const squares = (terms: number[]) => terms.reduce((sum, term) => sum + term * term, 0);
    expect(taylorOfGroup(cancels)).toBeLessThan(taylorOfGroup(adds));
    expect(squares(cancels)).toBeGreaterThan(squares(adds));
  });

  it("P-04: minibatches are squared before they are averaged", () => {
    const w = Float32Array.of(2);
    const score = taylorScore(() => [Float32Array.of(1), Float32Array.of(-1)]);
    expect(score(weights(w, 1, undefined))[0]).toBe(4);
  });

  it("PL-05: first and second order together are |g w - h w² / 2| with sums of gradients and of their squares", () => {
    const [w, a, b] = [random(6, 4), random(6, 5), random(6, 6)];
    const found = fisherScore(() => [a, b])(weights(w, 3, undefined));
    w.forEach((value, i) => {
      const expected = Math.abs((a[i] + b[i]) * value - ((a[i] ** 2 + b[i] ** 2) * value ** 2) / 2);
      expect(Math.abs(found[i] - expected)).toBeLessThan(1e-6);
    });
  });
});

describe("cubicSchedule", () => {
  it("P-09: begins at the first sparsity, ends at the last, never falls, and is constant between refreshes", () => {
    const at = cubicSchedule({ initial: 0.1, final: 0.9, start: 100, refreshes: 8, interval: 50 });
    expect([at(0), at(100), at(149)]).toEqual([0.1, 0.1, 0.1].map((value) => expect.closeTo(value, 12)));
    expect([at(500), at(9999)]).toEqual([0.9, 0.9]);
    expect(at(300)).toBeCloseTo(0.9 - 0.8 * 0.5 ** 3, 12);
    for (let step = 1; step < 600; step++) expect(at(step)).toBeGreaterThanOrEqual(at(step - 1));
    expect(() => cubicSchedule({ final: 1, refreshes: 3 })).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
    expect(() => cubicSchedule({ final: 0.5, refreshes: 0 })).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});

describe("OWL", () => {
  it("counts scores above five times the mean", () => {
    expect(outlierShare([1, 1, 1, 1, 1, 1, 1, 1, 1, 100])).toBe(0.1);
    expect(outlierShare([1, 1, 1, 1])).toBe(0);
  });

  it("gives blocks with more outliers fewer zeros, within the spread, and the wanted share of all weights within 1e-12", () => {
    const blocks = [
      { outliers: 0.02, size: 100 },
      { outliers: 0.1, size: 300 },
      { outliers: 0.05, size: 50 },
    ];
    for (const sparsity of [0.05, 0.5, 0.7, 0.97]) {
      const found = owlRatios(blocks, sparsity);
      const total = found.reduce((sum, value, i) => sum + value * blocks[i].size, 0);
      expect(Math.abs(total / 450 - sparsity)).toBeLessThan(1e-12);
      expect(found[0]).toBeGreaterThan(found[2]);
      expect(found[2]).toBeGreaterThan(found[1]);
      expect(found[0] - found[1]).toBeLessThanOrEqual(0.16 + 1e-12);
      expect(found.every((value) => value >= 0 && value < 1)).toBe(true);
    }
    expect(owlRatios([{ outliers: 0.1, size: 5 }], 0.4)).toEqual([0.4]);
  });
});

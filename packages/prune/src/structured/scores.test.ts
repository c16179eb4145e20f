import type { Group } from "@espalier/core";
import { linearAlgebra, matrix } from "@espalier/core/linalg";
import { describe, expect, it } from "vitest";
import {
  activationScore,
  geometricMedianScore,
  l1Score,
  l2Score,
  outputErrorScore,
  scaleScore,
  type UnitGroup,
  unitTaylorScore,
} from "../index.ts";

/** Three units of two weights, a bias and the scale of a BatchNormalization. */
const group: UnitGroup = {
  group: { size: 3 } as Group,
  slices: [
    {
      weight: "w",
      role: "out",
      scale: false,
      of: [Float32Array.of(1, -2), Float32Array.of(3, 4), Float32Array.of(2, 1)],
      from: (values) => [0, 1, 2].map((unit) => values.subarray(2 * unit, 2 * unit + 2)),
    },
    {
      weight: "gamma",
      role: "along",
      scale: true,
      of: [Float32Array.of(-3), Float32Array.of(1), Float32Array.of(2)],
      from: (values) => [0, 1, 2].map((unit) => values.subarray(unit, unit + 1)),
    },
  ],
  consumers: [
    {
      name: "next",
      rows: 1,
      columns: 3,
      w: Float32Array.of(1, 1, 1),
      units: [[0], [1], [2]],
      gram: matrix(3, 3, [4, 0, 0, 0, 1, 0, 0, 0, 9]),
      mean: Float64Array.of(0, 3, 0),
    },
  ],
};

describe("scores of units", () => {
  it("P-02: l1 is the sum of |w| of what makes the unit, l2 the root of the sum of squares", () => {
    expect(l1Score(group)).toEqual(Float64Array.of(3, 7, 3));
    expect(l2Score(group)).toEqual(Float64Array.of(5, 25, 5).map(Math.sqrt));
  });

  it("the geometric median is the sum of distances to all units: least for the one in the middle", () => {
    const distances = [Math.sqrt(4 + 36), Math.sqrt(1 + 9), Math.sqrt(1 + 9)];
    const expected = [distances[0] + distances[1], distances[0] + distances[2], distances[1] + distances[2]];
    const found = geometricMedianScore(group);
    for (const [unit, value] of expected.entries()) expect(found[unit]).toBeCloseTo(value, 12);
  });

  it("P-08: scale is |γ| of the BatchNormalization, and l2 where there is none", () => {
    expect(scaleScore(group)).toEqual(Float64Array.of(3, 1, 2));
    const folded = { ...group, slices: group.slices.slice(0, 1) };
    expect(scaleScore(folded)).toEqual(l2Score(folded));
  });

  it("activation is the root of E x²", () => {
    const found = activationScore(group);
    for (const [unit, value] of [2, Math.sqrt(10), 3].entries()) expect(found[unit]).toBeCloseTo(value, 12);
  });

  it("P-04: taylor squares the sum of g w over weights and scales, so that parts may cancel", () => {
    const gradients = new Map([
      ["w", Float32Array.of(2, 1, 1, 1, 1, 1)],
      ["gamma", Float32Array.of(0, 1, 1)],
    ]);
    expect(unitTaylorScore(gradients)(group)).toEqual(Float64Array.of(0, 64, 25));
  });

  it("P-08: with uncorrelated inputs the cost by the Gram matrix is h w², as OBD has it: shares 4, 1, 9 of 14 within 1 %", () => {
    const { order, costs } = outputErrorScore(group, linearAlgebra());
    expect(order[0]).toBe(1);
    expect(Math.abs(costs[0] / (1 / 14) - 1)).toBeLessThan(0.01);
  });
});

import type { LinearAlgebra } from "@espalier/core/linalg";
import type { UnitGroup } from "./unit-group.ts";

/** Units in the order in which they go, and what each costs when those before it are gone. */
export interface Ranking {
  readonly order: readonly number[];
  readonly costs: readonly number[];
}

/** How much a unit matters: one number for each, the lowest go first; or the order in which they go, and its costs. */
export type UnitScore = (group: UnitGroup, algebra: LinearAlgebra) => ArrayLike<number> | Ranking;

/** Σ over what makes each unit. */
const sumOfMade = ({ group, slices }: UnitGroup, of: (value: number) => number): Float64Array => {
  const totals = new Float64Array(group.size);
  for (const { role, of: units } of slices)
    if (role === "out") for (const [unit, values] of units.entries()) for (const v of values) totals[unit] += of(v);
  return totals;
};

/** s_j = Σ |w| over the weights that make unit j. Source: Li et al. 2016, arXiv:1608.08710. */
export const l1Score = (group: UnitGroup): Float64Array => sumOfMade(group, Math.abs);

/** s_j = ‖w_j‖₂ over the weights that make unit j. */
export const l2Score = (group: UnitGroup): Float64Array => sumOfMade(group, (v) => v * v).map(Math.sqrt);

/** s_j = Σ_i ‖w_j - w_i‖₂: what lies in the middle of the others is replaced by them. Source: arXiv:1811.00250. */
export const geometricMedianScore = ({ group, slices }: UnitGroup): Float64Array => {
  const made = slices.filter(({ role }) => role === "out");
  return Float64Array.from({ length: group.size }, (_, unit) => {
    let total = 0;
    for (let other = 0; other < group.size; other++) {
      let squares = 0;
      for (const { of } of made) for (const [i, value] of of[unit].entries()) squares += (value - of[other][i]) ** 2;
      total += Math.sqrt(squares);
    }
    return total;
  });
};

/**
 * s_j = Σ |γ_j|, the scales of the BatchNormalizations behind the unit; of groups that have none (they were folded),
 * `l2Score`. Source: arXiv:1708.06519.
 */
export const scaleScore = (group: UnitGroup): Float64Array => {
  const scales = group.slices.filter(({ scale }) => scale);
  if (scales.length === 0) return l2Score(group);
  return sumOfMade({ ...group, slices: scales.map((each) => ({ ...each, role: "out" })) }, Math.abs);
};

/** s_j = √ E x_j²: the size of what the unit hands to those that take it in, over the data. */
export const activationScore = (group: UnitGroup): Float64Array => {
  const seen = group.consumers.filter(({ gram }) => gram !== undefined);
  if (seen.length === 0) return l2Score(group);
  return Float64Array.from({ length: group.group.size }, (_, unit) => {
    let total = 0;
    for (const { gram, mean, columns, units } of seen)
      for (const c of units[unit]) total += gram!.data[c * columns + c] + mean![c] ** 2;
    return Math.sqrt(total);
  });
};

/**
 * s_j = (Σ g w)² over everything that makes unit j, biases and norms too, from gradients of the loss by the name of the
 * weight, each as large as the weight in the file; what has none counts nothing. Source: Molchanov et al. 2019,
 * arXiv:1906.10771, eq. 11: the square is taken after the sum.
 */
export const unitTaylorScore =
  (gradients: ReadonlyMap<string, Float32Array>) =>
  ({ group, slices }: UnitGroup): Float64Array => {
    const totals = new Float64Array(group.size);
    for (const { weight, of, from } of slices) {
      const given = gradients.get(weight);
      if (!given) continue;
      for (const [unit, g] of from(given).entries())
        for (const [i, value] of g.entries()) totals[unit] += value * of[unit][i];
    }
    return totals.map((total) => total ** 2);
  };

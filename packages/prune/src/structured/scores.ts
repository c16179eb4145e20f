import type { UnitGroup } from "./unit-group.ts";

/** What a score tells of the units of a group: one number for each, the lowest go first; or the order and its costs. */
export type UnitScores = ArrayLike<number> | Ranking;

/** Units in the order in which they go, and what each costs when those before it are gone. */
export interface Ranking {
  readonly order: readonly number[];
  readonly costs: readonly number[];
}

/** How much a unit matters: a function of the numbers of a group. */
export type UnitScore = (group: UnitGroup) => UnitScores;

const eachUnit = ({ made }: UnitGroup, score: (slices: readonly Float32Array[], unit: number) => number) =>
  Float64Array.from(made, (slices, unit) => score(slices, unit));

const sum = (slices: readonly Float32Array[], of: (value: number) => number): number => {
  let total = 0;
  for (const slice of slices) for (const value of slice) total += of(value);
  return total;
};

/** s_j = Σ |w| over the weights that make unit j. Source: Li et al. 2016, arXiv:1608.08710. */
export const l1Score: UnitScore = (group) => eachUnit(group, (slices) => sum(slices, Math.abs));

/** s_j = ‖w_j‖₂ over the weights that make unit j. */
export const l2Score: UnitScore = (group) => eachUnit(group, (slices) => Math.sqrt(sum(slices, (v) => v * v)));

/** s_j = Σ_i ‖w_j - w_i‖₂: what lies in the middle of the others is replaced by them. Source: arXiv:1811.00250. */
export const geometricMedianScore: UnitScore = (group) =>
  eachUnit(group, (slices) => {
    let total = 0;
    for (const others of group.made) {
      let squares = 0;
      for (const [at, slice] of slices.entries())
        for (const [i, value] of slice.entries()) squares += (value - others[at][i]) ** 2;
      total += Math.sqrt(squares);
    }
    return total;
  });

/**
 * s_j = |γ_j|, the scale of the BatchNormalization behind the unit, by the name of its weight. Source: arXiv:1708.06519.
 *
 * Groups in which none of the weights is named have the score of `l2Score`.
 */
export const scaleScore =
  (scales: readonly string[]): UnitScore =>
  (group) => {
    const found = scales.flatMap((name) => group.along.get(name) ?? []);
    if (found.length === 0) return l2Score(group);
    return Float64Array.from(group.made, (_, unit) =>
      scales.reduce(
        (total, name) => total + sum(group.along.get(name)?.[unit] ? [group.along.get(name)![unit]] : [], Math.abs),
        0,
      ),
    );
  };

/** s_j = √ E x_j²: the size of what the unit hands to those that take it in, over the data. */
export const activationScore: UnitScore = (group) => {
  const seen = group.consumers.filter(({ gram }) => gram !== undefined);
  if (seen.length === 0) return l2Score(group);
  return Float64Array.from(group.made, (_, unit) =>
    Math.sqrt(
      seen.reduce(
        (total, { gram, mean, columns, units }) =>
          total + units[unit].reduce((part, c) => part + gram!.data[c * columns + c] + mean![c] ** 2, 0),
        0,
      ),
    ),
  );
};

/**
 * s_j = (Σ g w)² over all weights that make unit j, from gradients of the loss by the name of the weight, as large as
 * the weight. Source: Molchanov et al. 2019, arXiv:1906.10771, group form: the square is taken after the sum.
 */
export const taylorScore =
  (products: (group: UnitGroup) => readonly (readonly Float32Array[])[]): UnitScore =>
  (group) => {
    const gradients = products(group);
    return eachUnit(group, (slices, unit) => {
      let total = 0;
      for (const [at, slice] of slices.entries())
        for (const [i, value] of slice.entries()) total += value * gradients[unit][at][i];
      return total ** 2;
    });
  };

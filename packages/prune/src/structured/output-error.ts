import { type LinearAlgebra, linearAlgebra, type Matrix, matrix } from "@espalier/core/linalg";
import { l2Score, type Ranking } from "./scores.ts";
import type { Consumer, UnitGroup } from "./unit-group.ts";

/** Share of the mean of the diagonal that makes a Gram matrix of little data invertible. */
export const DAMP = 1e-3;

/** Times that the rest is solved anew while a group is ranked: units that go between two have costs of the same solution. */
const ROUNDS = 16;

/** Of a group, the units beyond this share follow in the last order. */
const MOST = 0.75;

interface State {
  readonly algebra: LinearAlgebra;
  readonly consumer: Consumer;
  /** [rows, columns], what is left of the weight with the rest made up for. */
  readonly w: Float64Array;
  /** [columns, columns], inverse of the Gram matrix of the columns that are left. */
  readonly inverse: Float64Array;
  /** E ‖y - mean y‖², unit of the output squared. */
  readonly energy: number;
}

const stateOf = (consumer: Consumer, algebra: LinearAlgebra): State => {
  const { matmul, dampedCholesky, invertCholesky } = algebra;
  const { rows, columns, gram } = consumer;
  const w = Float64Array.from(consumer.w);
  const y = matmul(matrix(rows, columns, w), gram!);
  let energy = 0;
  for (let i = 0; i < w.length; i++) energy += w[i] * y.data[i];
  const { l } = dampedCholesky(gram!, { damp: DAMP });
  return { algebra, consumer, w, inverse: invertCholesky(l).data, energy: Math.max(energy, Number.MIN_VALUE) };
};

/** (H⁻¹)_PP⁻¹ for the columns P of a unit. */
const blockOf = ({ algebra, inverse, consumer: { columns } }: State, places: readonly number[]): Matrix => {
  const block = matrix(places.length, places.length);
  for (const [i, p] of places.entries())
    for (const [j, q] of places.entries()) block.data[i * places.length + j] = inverse[p * columns + q];
  if (places.length === 1) return matrix(1, 1, [1 / block.data[0]]);
  return algebra.invertCholesky(algebra.dampedCholesky(block).l);
};

/** Sums over rows of w², by column. */
const columnNorms = ({ w, consumer: { rows, columns } }: State): Float64Array => {
  const sums = new Float64Array(columns);
  for (let row = 0, at = 0; row < rows; row++) for (let c = 0; c < columns; c++, at++) sums[c] += w[at] * w[at];
  return sums;
};

/** tr(W_P B W_Pᵀ), B the block of each unit: the squared error of the output once the rest makes up for it. */
const errorsOf = (state: State, units: readonly number[]): Float64Array => {
  const { algebra, w, inverse, energy, consumer } = state;
  const { rows, columns } = consumer;
  const norms = consumer.units.every((places) => places.length === 1) ? columnNorms(state) : undefined;
  return Float64Array.from(units, (unit) => {
    const places = consumer.units[unit];
    if (norms) return norms[places[0]] / inverse[places[0] * columns + places[0]] / energy;
    const own = matrix(rows, places.length);
    for (let row = 0; row < rows; row++)
      for (const [i, p] of places.entries()) own.data[row * places.length + i] = w[row * columns + p];
    const { data } = algebra.matmul(own, blockOf(state, places));
    return own.data.reduce((sum, value, at) => sum + value * data[at], 0) / energy;
  });
};

/** W -= W_P B H⁻¹_P, H⁻¹ -= H⁻¹_P B H⁻¹_P: the rest makes up for P, which is gone. */
const remove = (
  { algebra: { matmul }, w, inverse, consumer: { rows, columns } }: State,
  places: readonly number[],
  block: Matrix,
) => {
  const count = places.length;
  const rowsOf = matrix(count, columns);
  for (const [i, p] of places.entries()) rowsOf.data.set(inverse.subarray(p * columns, (p + 1) * columns), i * columns);
  const step = matmul(block, rowsOf);
  const before = matrix(rows, count);
  for (let row = 0; row < rows; row++)
    for (const [i, p] of places.entries()) before.data[row * count + i] = w[row * columns + p];
  const subtract = (target: Float64Array, by: Matrix) => {
    for (let i = 0; i < target.length; i++) target[i] -= by.data[i];
  };
  subtract(w, matmul(before, step));
  subtract(inverse, matmul(rowsOf, step, { transposeA: true }));
  for (const p of places) {
    for (let row = 0; row < rows; row++) w[row * columns + p] = 0;
    for (let c = 0; c < columns; c++) {
      inverse[p * columns + c] = 0;
      inverse[c * columns + p] = 0;
    }
  }
};

/**
 * Units in the order in which they go, each the one whose absence, made up for as well as the units that are left can,
 * changes the outputs of those that take it in least: the structured form of optimal brain surgeon, a sixteenth of the
 * units at a time. Costs are squared
 * errors as shares of each output's variance, summed over the consumers.
 *
 *     cost_u = Σ tr(W_u (H⁻¹_uu)⁻¹ W_uᵀ) / tr(W H Wᵀ)      H = XᵀX / n about the mean
 *
 * Groups whose consumers were not observed are ranked by `l2Score`. Source: Hassibi & Stork 1993; for columns,
 * arXiv:2203.07259 and arXiv:2302.04089.
 */
export const outputErrorScore = (group: UnitGroup, algebra: LinearAlgebra = linearAlgebra()): Ranking => {
  const states = group.consumers.filter(({ gram }) => gram !== undefined).map((consumer) => stateOf(consumer, algebra));
  const size = group.group.size;
  if (states.length === 0) return byShare(l2Score(group));
  let left = Array.from({ length: size }, (_, unit) => unit);
  const [order, costs]: [number[], number[]] = [[], []];
  const take = (ranked: readonly { readonly unit: number; readonly cost: number }[]) => {
    for (const { unit, cost } of ranked) {
      order.push(unit);
      costs.push(cost);
    }
  };
  for (;;) {
    const errors = states.map((state) => errorsOf(state, left));
    const ranked = left
      .map((unit, i) => ({ unit, cost: errors.reduce((total, each) => total + each[i], 0) }))
      .sort((a, b) => a.cost - b.cost || a.unit - b.unit);
    const count = Math.ceil(size / ROUNDS);
    if (order.length + count >= MOST * size) {
      take(ranked.slice(0, -1));
      return { order, costs };
    }
    const going = ranked.slice(0, count);
    take(going);
    left = ranked.slice(count).map(({ unit }) => unit);
    for (const state of states) {
      const places = going.flatMap(({ unit }) => state.consumer.units[unit]);
      remove(state, places, blockOf(state, places));
    }
  }
};

/** Numbers of the units of a group as an order; costs are shares of the sum of their squares. */
export const byShare = (scores: ArrayLike<number>): Ranking => {
  const units = Array.from(scores, (score, unit) => ({ score, unit })).sort(
    (a, b) => a.score - b.score || a.unit - b.unit,
  );
  const total = units.reduce((sum, { score }) => sum + score * score, 0) || 1;
  return { order: units.map(({ unit }) => unit), costs: units.map(({ score }) => (score * score) / total) };
};

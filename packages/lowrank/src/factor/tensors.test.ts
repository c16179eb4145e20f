import { createRng } from "@espalier/core";
import { type Matrix, squaredNorm } from "@espalier/core/linalg";
import { describe, expect, it } from "vitest";
import { cp } from "./cp.ts";
import { type Dense, fold, unfold } from "./tensor.ts";
import { modeEnergies, tucker2 } from "./tucker2.ts";

const gaussian = (dims: readonly number[], seed: number): Dense => {
  const rng = createRng(seed);
  return { dims, data: Float64Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => rng.normal()) };
};

const at = ({ data, columns }: Matrix, i: number, j: number) => data[i * columns + j];

const rebuilt = ({ out, in: inner, core }: ReturnType<typeof tucker2>): Float64Array => {
  const [p, q, taps] = core.dims;
  return Float64Array.from({ length: out.rows * inner.rows * taps }, (_, place) => {
    const [o, i, t] = [Math.floor(place / (inner.rows * taps)), Math.floor(place / taps) % inner.rows, place % taps];
    let sum = 0;
    for (let a = 0; a < p; a++)
      for (let b = 0; b < q; b++) sum += at(out, o, a) * core.data[(a * q + b) * taps + t] * at(inner, i, b);
    return sum;
  });
};

const distance2 = (a: Float64Array, b: Float64Array) => squaredNorm({ data: a.map((value, i) => value - b[i]) });

describe("unfold", () => {
  it("puts an axis first and the others in order, and fold undoes it, for every axis", () => {
    const w = gaussian([2, 3, 4], 1);
    expect(unfold(w, 1).data[5]).toBe(w.data[13]);
    for (const axis of [0, 1, 2]) expect(fold(unfold(w, axis), w.dims, axis)).toEqual(w);
  });
});

describe("tucker2", () => {
  const w = gaussian([12, 8, 9], 2);

  it("R-02: HOSVD's error is at most the sum of the energies that both modes discard, and is what it says to 1e-10", () => {
    for (const [p, q] of [
      [3, 2],
      [6, 6],
      [11, 7],
    ]) {
      const found = tucker2(w, p, q, 0);
      const discarded = [modeEnergies(w, 0).slice(p), modeEnergies(w, 1).slice(q)].flatMap((rest) => [...rest]);
      expect(found.error).toBeLessThanOrEqual(discarded.reduce((a, b) => a + b, 0));
      expect(Math.abs(distance2(rebuilt(found), w.data) - found.error)).toBeLessThanOrEqual(1e-10 * squaredNorm(w));
    }
  });

  it("R-02: HOI does not raise the error, lowers it here, and full ranks are exact to 1e-12", () => {
    const hosvd = tucker2(w, 4, 3, 0).error;
    const errors = [1, 2, 5, 20].map((rounds) => tucker2(w, 4, 3, rounds).error);
    [hosvd, ...errors].reduce((before, error) => {
      expect(error).toBeLessThanOrEqual(before * (1 + 1e-12));
      return error;
    });
    expect(errors[3]).toBeLessThan(hosvd);
    expect(tucker2(w, 12, 8).error).toBeLessThanOrEqual(1e-12 * squaredNorm(w));
  });
});

describe("cp", () => {
  const outer = (dims: readonly number[], rank: number, seed: number): Dense => {
    const factors = dims.map((dim, i) => gaussian([dim, rank], seed + i).data);
    const sum: Dense = { dims, data: new Float64Array(dims.reduce((a, b) => a * b, 1)) };
    sum.data.forEach((_, place) => {
      let rest = place;
      const index = dims.map(() => 0);
      for (let i = dims.length - 1; i >= 0; i--) {
        index[i] = rest % dims[i];
        rest = Math.floor(rest / dims[i]);
      }
      for (let r = 0; r < rank; r++)
        sum.data[place] += factors.reduce((product, factor, i) => product * factor[index[i] * rank + r], 1);
    });
    return sum;
  };

  it("R-02: recovers sums of 1 and 3 outer products of three and four axes to 1e-6 of their norm", () => {
    for (const [dims, rank] of [
      [[6, 5, 3], 1],
      [[8, 7, 3, 3], 3],
    ] as const)
      expect(cp(outer(dims, rank, 4), rank, createRng(1), { rounds: 300 }).error).toBeLessThanOrEqual(
        1e-6 * squaredNorm(outer(dims, rank, 4)),
      );
  });

  it("states its error, does not get worse with rounds, rank or restarts, and is the same for the same seed", () => {
    const w = gaussian([6, 5, 3, 3], 9);
    const error = (rank: number, rounds: number, restarts: number) =>
      cp(w, rank, createRng(3), { rounds, restarts }).error;
    expect(error(4, 30, 1)).toBeLessThanOrEqual(error(4, 5, 1));
    expect(error(4, 30, 4)).toBeLessThanOrEqual(error(4, 30, 1));
    expect(error(12, 60, 3)).toBeLessThan(error(4, 60, 3));
    const found = cp(w, 4, createRng(3));
    const product = w.data.map((_, place) => {
      const index = [Math.floor(place / 45), Math.floor(place / 9) % 5, Math.floor(place / 3) % 3, place % 3];
      let sum = 0;
      for (let r = 0; r < 4; r++) sum += found.factors.reduce((value, factor, i) => value * at(factor, index[i], r), 1);
      return sum;
    });
    expect(Math.abs(distance2(product, w.data) - found.error)).toBeLessThanOrEqual(1e-9 * squaredNorm(w));
    expect(cp(w, 4, createRng(3)).factors).toEqual(found.factors);
  });
});

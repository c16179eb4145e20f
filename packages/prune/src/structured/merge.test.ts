import { createRng } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { kneeOf, mergeUnits } from "./merge.ts";

const rowsOf = (count: number, width: number, seed: number): Float64Array[] => {
  const rng = createRng(seed);
  return Array.from({ length: count }, () => Float64Array.from({ length: width }, () => rng.normal()));
};
const squares = (a: ArrayLike<number>) => Array.from(a).reduce((sum, v) => sum + v * v, 0);
const difference = (a: Float64Array, b: Float64Array) => a.map((value, i) => value - b[i]);

/** Σ_j a_j relu(W_j · x), by output. */
const outputOf = (incoming: readonly Float64Array[], outgoing: readonly Float64Array[], x: Float64Array) => {
  const y = new Float64Array(outgoing[0].length);
  for (const [j, w] of incoming.entries()) {
    const h = Math.max(
      0,
      w.reduce((sum, value, i) => sum + value * x[i], 0),
    );
    for (const [o, a] of outgoing[j].entries()) y[o] += a * h;
  }
  return y;
};

describe("mergeUnits", () => {
  it("P-03: a neuron that stands twice is merged first, and the outputs stay the same to 1e-12", () => {
    const [incoming, outgoing] = [rowsOf(6, 5, 1), rowsOf(6, 3, 2)];
    incoming[4] = incoming[1].slice();
    const { steps, outgoing: merged } = mergeUnits(incoming, outgoing, 3, 1);
    expect(steps).toEqual([{ into: 4, gone: 1, saliency: 0 }]);
    for (const x of rowsOf(20, 5, 3)) {
      const [before, after] = [outputOf(incoming, outgoing, x), outputOf(incoming, merged, x)];
      for (const [o, value] of before.entries()) expect(Math.abs(after[o] - value)).toBeLessThan(1e-12);
    }
  });

  it("P-03: the order of pairs is that of brute force over s_ij, computed anew after each merge", () => {
    for (let seed = 0; seed < 5; seed++) {
      const [incoming, outgoing] = [rowsOf(9, 4, 10 + seed), rowsOf(9, 3, 20 + seed)];
      const { steps } = mergeUnits(incoming, outgoing, 3, 8);
      const now = outgoing.map((a) => a.slice());
      const alive = new Set(now.keys());
      for (const step of steps) {
        let best = { into: -1, gone: -1, saliency: Number.POSITIVE_INFINITY };
        for (const gone of alive)
          for (const into of alive) {
            if (into === gone) continue;
            const saliency = (squares(now[gone]) / 3) * squares(difference(incoming[into], incoming[gone]));
            if (saliency < best.saliency) best = { into, gone, saliency };
          }
        expect([step.into, step.gone]).toEqual([best.into, best.gone]);
        expect(step.saliency).toBeCloseTo(best.saliency, 12);
        for (let o = 0; o < 3; o++) now[best.into][o] += now[best.gone][o];
        alive.delete(best.gone);
      }
    }
  });

  it("P-03: no input changes the outputs by more than outputs * s_ij * ‖x‖² in squares", () => {
    for (let seed = 0; seed < 10; seed++) {
      const [incoming, outgoing] = [rowsOf(8, 5, 30 + seed), rowsOf(8, 4, 50 + seed)];
      const { steps, outgoing: merged } = mergeUnits(incoming, outgoing, 4, 1);
      for (const x of rowsOf(50, 5, 70 + seed)) {
        const change = squares(difference(outputOf(incoming, outgoing, x), outputOf(incoming, merged, x)));
        expect(change).toBeLessThanOrEqual(4 * steps[0].saliency * squares(x) * (1 + 1e-9));
      }
    }
  });

  it("P-03: merging half of neurons that resemble each other errs less than deleting them without the surgery", () => {
    const [base, small] = [rowsOf(8, 6, 90), rowsOf(16, 6, 91)];
    const incoming = small.map((own, i) => own.map((value, k) => 0.2 * value + base[i % 8][k]));
    const outgoing = rowsOf(16, 4, 92);
    const { steps, outgoing: merged } = mergeUnits(incoming, outgoing, 4, 8);
    const gone = new Set(steps.map((step) => step.gone));
    const deleted = outgoing.map((a, j) => (gone.has(j) ? new Float64Array(4) : a));
    const errorOf = (other: readonly Float64Array[]) =>
      rowsOf(100, 6, 93).reduce(
        (sum, x) => sum + squares(difference(outputOf(incoming, outgoing, x), outputOf(incoming, other, x))),
        0,
      );
    expect(errorOf(merged)).toBeLessThan(errorOf(deleted) / 2);
  });

  it("the knee is where a level curve begins to rise", () => {
    expect(kneeOf([0, 0, 0, 0, 10, 20])).toBe(3);
    expect(kneeOf([1, 2])).toBe(0);
  });
});

import { describe, expect, it } from "vitest";
import { toHalf } from "../numeric/half.ts";
import { createRng } from "../numeric/rng.ts";
import { tensor } from "../tensor.ts";
import { gaussian } from "../testing/index.ts";
import { fidelityOf } from "./fidelity.ts";

const floats = (...values: number[]) => tensor("float32", [values.length], Float32Array.from(values));
const noisy = (dims: readonly number[], seed: number, noise: number) => {
  const expected = gaussian(dims, seed);
  const added = gaussian(dims, seed + 1000, noise).data;
  return {
    expected,
    actual: tensor(
      "float32",
      dims,
      expected.data.map((v, i) => v + added[i]),
    ),
  };
};
const softmax = (row: readonly number[]) => {
  const sum = row.reduce((total, v) => total + Math.exp(v), 0);
  return row.map((v) => Math.exp(v) / sum);
};
const rowsOf = (values: readonly number[], width: number) =>
  Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));
const largest = (row: readonly number[]) => row.indexOf(Math.max(...row));

describe("fidelityOf", () => {
  it("equals the formulas over all samples at once, to 1e-12", () => {
    const samples = [1, 2, 3].map((seed) => noisy([5, 7], seed, 0.3));
    const sums = fidelityOf();
    for (const { expected, actual } of samples) sums.add(expected, actual);
    const found = sums.result();
    const e = samples.flatMap(({ expected }) => [...expected.data]);
    const a = samples.flatMap(({ actual }) => [...actual.data]);
    const dot = (x: number[], y: number[]) => x.reduce((sum, v, i) => sum + v * y[i], 0);
    const d = a.map((v, i) => v - e[i]);
    const relative = Math.sqrt(dot(d, d) / dot(e, e));
    expect(found.relativeL2).toBeCloseTo(relative, 12);
    expect(found.sqnrDb).toBeCloseTo(10 * Math.log10(dot(e, e) / dot(d, d)), 12);
    expect(found.cosine).toBeCloseTo(dot(e, a) / Math.sqrt(dot(e, e) * dot(a, a)), 12);
    expect(found.maxAbs).toBe(Math.max(...d.map(Math.abs)));
    const [rowsE, rowsA] = [rowsOf(e, 7), rowsOf(a, 7)];
    const same = rowsE.filter((row, i) => largest(row) === largest(rowsA[i])).length;
    expect(same).toBeLessThan(rowsE.length);
    expect(found.argmaxAgreement).toBe(same / rowsE.length);
    const kl = rowsE.map((row, i) => {
      const [p, q] = [softmax(row), softmax(rowsA[i])];
      return p.reduce((sum, v, k) => sum + v * Math.log(v / q[k]), 0);
    });
    expect(found.kl).toBeCloseTo(kl.reduce((sum, v) => sum + v, 0) / kl.length, 12);
  });

  it("takes rows that sum to 1 for probabilities: the same KL as of their logits, to 1e-6", () => {
    const { expected, actual } = noisy([6, 9], 4, 0.5);
    const probabilities = ({ data }: { data: Float32Array }) =>
      tensor("float32", [6, 9], Float32Array.from(rowsOf([...data], 9).flatMap(softmax)));
    const [ofLogits, ofProbabilities] = [fidelityOf(), fidelityOf()];
    ofLogits.add(expected, actual);
    ofProbabilities.add(probabilities(expected), probabilities(actual));
    expect(ofLogits.result().kl).toBeGreaterThan(0.01);
    expect(Math.abs(ofProbabilities.result().kl! - ofLogits.result().kl!)).toBeLessThan(1e-6);
  });

  it("sees a wrong scale where the cosine is 1", () => {
    const sums = fidelityOf();
    sums.add(floats(1, 2, 3), floats(2, 4, 6));
    expect(sums.result()).toMatchObject({ relativeL2: 1, sqnrDb: -0, maxAbs: 3 });
    expect(sums.result().cosine).toBeCloseTo(1, 12);
  });

  it("is exact for equal values, zeros, NaN against NaN and the same infinity", () => {
    const odd = floats(0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2);
    const sums = fidelityOf();
    sums.add(odd, odd);
    sums.add(floats(0, 0), floats(0, 0));
    expect(sums.result()).toEqual({
      relativeL2: 0,
      sqnrDb: Number.POSITIVE_INFINITY,
      cosine: 1,
      maxAbs: 0,
      argmaxAgreement: 1,
      kl: 0,
    });
  });

  it.each([
    ["a NaN that the original has not", floats(1, 2), floats(1, Number.NaN)],
    ["a NaN that only the original has", floats(1, Number.NaN), floats(1, 2)],
    ["an overflow", floats(1, 2), floats(1, Number.POSITIVE_INFINITY)],
    ["an infinity of the other sign", floats(Number.POSITIVE_INFINITY, 1), floats(Number.NEGATIVE_INFINITY, 1)],
    ["something where the original is all zeros", floats(0, 0), floats(0, 1e-20)],
  ])("%s is an infinite relativeL2, among however many good values", (_, expected, actual) => {
    const sums = fidelityOf();
    for (const seed of [1, 2, 3]) sums.add(gaussian([100], seed), gaussian([100], seed));
    if (expected.data.every((v) => v === 0)) {
      const alone = fidelityOf();
      alone.add(expected, actual);
      expect(alone.result()).toMatchObject({ relativeL2: Number.POSITIVE_INFINITY, cosine: 0 });
      return;
    }
    sums.add(expected, actual);
    expect(sums.result()).toMatchObject({
      relativeL2: Number.POSITIVE_INFINITY,
      sqnrDb: Number.NEGATIVE_INFINITY,
      cosine: 0,
      maxAbs: Number.POSITIVE_INFINITY,
    });
  });

  it("a first choice among equals is no disagreement, and another one is", () => {
    const sums = fidelityOf();
    sums.add(floats(3, 3, 1), floats(2.9, 3, 1));
    sums.add(floats(3, 2.9, 1), floats(2.9, 3, 1));
    expect(sums.result().argmaxAgreement).toBe(0.5);
  });

  it("KL stays finite where a softmax underflowed to 0", () => {
    const sums = fidelityOf();
    sums.add(floats(0.5, 0.5, 0), floats(1, 0, 0));
    expect(sums.result().kl).toBeGreaterThan(10);
    expect(sums.result().kl).toBeLessThan(20);
  });

  it("counts equal elements of integers, booleans and strings", () => {
    const ids = fidelityOf();
    ids.add(
      tensor("int64", [4], BigInt64Array.of(5n, 6n, 7n, 8n)),
      tensor("int64", [4], BigInt64Array.of(5n, 6n, 7n, 9n)),
    );
    expect(ids.result()).toMatchObject({ argmaxAgreement: 0.75, maxAbs: 1 });
    expect(ids.result().kl).toBeUndefined();
    const flags = fidelityOf();
    flags.add(tensor("bool", [2], Uint8Array.of(1, 0)), tensor("bool", [2], Uint8Array.of(1, 1)));
    expect(flags.result().argmaxAgreement).toBe(0.5);
    const words = fidelityOf();
    words.add(tensor("string", [4], ["a", "b", "c", "d"]), tensor("string", [4], ["a", "b", "c", "x"]));
    expect(words.result()).toMatchObject({ argmaxAgreement: 0.75, relativeL2: 0.5 });
  });

  it("reads half floats as the numbers they stand for", () => {
    const values = gaussian([64], 8).data;
    const sums = fidelityOf();
    sums.add(tensor("float32", [64], values), tensor("float16", [64], toHalf(values)));
    expect(sums.result().relativeL2).toBeGreaterThan(0);
    expect(sums.result().relativeL2).toBeLessThan(2 ** -11);
  });

  it("leaves argmax and KL out without classes, and for rows of one", () => {
    const { expected, actual } = noisy([4, 6], 5, 0.1);
    const without = fidelityOf({ classes: false });
    without.add(expected, actual);
    expect(Object.keys(without.result())).toEqual(["relativeL2", "sqnrDb", "cosine", "maxAbs"]);
    const single = fidelityOf();
    single.add(gaussian([4, 1], 1), gaussian([4, 1], 2));
    expect(Object.keys(single.result())).toEqual(["relativeL2", "sqnrDb", "cosine", "maxAbs"]);
  });

  it("refuses values of other dims by name, also where the number of elements is the same", () => {
    const add = () => fidelityOf({ name: "boxes" }).add(gaussian([2, 3], 1), gaussian([3, 2], 1));
    expect(add).toThrow(expect.objectContaining({ code: "BAD_TENSOR" }));
    expect(add).toThrow(/"boxes" has dims \[2, 3\] in one model and \[3, 2\]/);
  });

  it("does not lose small differences after 10,000 samples: to 1e-9 of the formula", () => {
    const rng = createRng(9);
    const sums = fidelityOf();
    let [difference, size] = [0n, 0n];
    // whole numbers, so that the exact sums are integers
    for (let i = 0; i < 10_000; i++) {
      const [e, d] = [rng.below(2000) - 1000, rng.below(3) - 1];
      sums.add(floats(e), floats(e + d));
      difference += BigInt(d * d);
      size += BigInt(e * e);
    }
    expect(sums.result().relativeL2).toBeCloseTo(Math.sqrt(Number(difference) / Number(size)), 9);
  });
});

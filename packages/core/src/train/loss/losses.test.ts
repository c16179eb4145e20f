import { describe, expect, it } from "vitest";
import { tensor } from "../../tensor.ts";
import { gaussian } from "../../testing/tiny-model.ts";
import { registerGradients } from "../gradients/register.ts";
import { tf } from "../testing/check-operator.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { ctcLoss } from "./ctc.ts";
import { meanSquares } from "./mean-squares.ts";

registerGradients(tf);

const [N, TIME, CLASSES] = [3, 4, 3];
const VALUES = [1, 2, 1, 1, 2, 0];
const LENGTHS = [2, 2, 1];
const labels = {
  values: tensor("int32", [N, 2], Int32Array.from(VALUES)),
  lengths: tensor("int32", [N], Int32Array.from(LENGTHS)),
};

/** What a path says: repeats as one, blanks left out. */
const said = (path: readonly number[]) => path.filter((c, t) => c !== 0 && c !== path[t - 1]).join();

/** The loss by going through all paths, in float64. */
const bruteForce = (scores: readonly number[]): number => {
  let loss = 0;
  for (let n = 0; n < N; n++) {
    const wanted = VALUES.slice(2 * n, 2 * n + LENGTHS[n]).join();
    let probability = 0;
    for (let code = 0; code < CLASSES ** TIME; code++) {
      const path = Array.from({ length: TIME }, (_, t) => Math.floor(code / CLASSES ** t) % CLASSES);
      if (said(path) !== wanted) continue;
      probability += path.reduce((product, c, t) => {
        const at = scores.slice((n * TIME + t) * CLASSES, (n * TIME + t + 1) * CLASSES);
        return (product * Math.exp(at[c])) / at.reduce((sum, v) => sum + Math.exp(v), 0);
      }, 1);
    }
    loss -= Math.log(probability) / (N * LENGTHS[n]);
  }
  return loss;
};

describe("ctcLoss", () => {
  const scores = gaussian([N, TIME, CLASSES], 7, 2);
  const given = Array.from(scores.data);

  it("equals the sum over all paths within 1e-6, its gradient their central differences within 1e-5", () => {
    const x = tf.tensor(scores.data, [N, TIME, CLASSES]);
    const { value, grad } = tf.valueAndGrad(
      (output: typeof x) => ctcLoss()({ tf, output, outputs: {}, labels }) as typeof x,
    )(x);
    expect(Math.abs(value.dataSync()[0] - bruteForce(given))).toBeLessThan(1e-6);
    grad.dataSync().forEach((g, i) => {
      const at = (by: number) => bruteForce(given.map((v, j) => (j === i ? v + by : v)));
      expect(Math.abs(g - (at(1e-4) - at(-1e-4)) / 2e-4)).toBeLessThan(1e-5);
    });
  });

  it("takes scores with the time in front, and stays a number where the labels are next to impossible", () => {
    const turned = tf.transpose(tf.tensor(scores.data, [N, TIME, CLASSES]), [1, 0, 2]);
    const loss = ctcLoss({ timeMajor: true })({ tf, output: turned, outputs: {}, labels }).dataSync()[0];
    expect(Math.abs(loss - bruteForce(given))).toBeLessThan(1e-6);
    const extreme = tf.mul(tf.oneHot(tf.zeros([N, TIME], "int32"), CLASSES), 1000);
    const { value, grad } = tf.valueAndGrad(
      (output: typeof turned) => ctcLoss()({ tf, output, outputs: {}, labels }) as typeof turned,
    )(tf.cast(extreme, "float32"));
    expect(Number.isFinite(value.dataSync()[0])).toBe(true);
    expect(grad.dataSync().every(Number.isFinite)).toBe(true);
  });

  it("refuses labels that there is no time for, and those out of range", () => {
    const output = tf.zeros([1, 3, CLASSES]);
    const of = (values: number[], length: number) => () =>
      ctcLoss()({
        tf,
        output,
        outputs: {},
        labels: {
          values: tensor("int32", [1, values.length], Int32Array.from(values)),
          lengths: tensor("int32", [1], Int32Array.of(length)),
        },
      });
    expect(of([1, 1], 2)).not.toThrow();
    expect(of([1, 1, 2], 3)).toThrow(/need 4 moments, and the model gives 3/);
    expect(of([1, 5], 2)).toThrow(expect.objectContaining({ code: "BAD_DATA" }));
    expect(of([1, 2], 3)).toThrow(expect.objectContaining({ code: "BAD_DATA" }));
  });
});

describe("crossEntropy and meanSquares", () => {
  it("leave labels of -100 out, and smooth the others", () => {
    const output = tf.tensor2d([1, 2, 3, 0, 0, 5], [2, 3]);
    const loss = (values: number[], smoothing = 0) =>
      crossEntropy({ smoothing })({
        tf,
        output,
        outputs: {},
        labels: tensor("int32", [2], Int32Array.from(values)),
      }).dataSync()[0];
    const log = Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3));
    expect(loss([1, -100])).toBeCloseTo(log - 2, 5);
    expect(loss([1, -100], 0.3)).toBeCloseTo(log - 0.7 * 2 - 0.1 * 6, 5);
  });

  it("mean squares of another shape are refused", () => {
    const output = tf.ones([2, 2]);
    const of = (dims: number[]) => () =>
      meanSquares({ tf, output, outputs: {}, labels: tensor("float32", dims, new Float32Array(4)) });
    expect(of([2, 2])().dataSync()[0]).toBe(1);
    expect(of([4])).toThrow(expect.objectContaining({ code: "BAD_DATA" }));
  });
});

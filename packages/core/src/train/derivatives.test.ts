import { describe, expect, it } from "vitest";
import { makeNode } from "../attrs.ts";
import { tensor } from "../tensor.ts";
import { gaussian, tinyModel } from "../testing/tiny-model.ts";
import { fisher, gradients, hessianTop, hessianTrace } from "./derivatives.ts";
import { tf } from "./testing/check-operator.ts";
import { clouds, toyNet } from "./testing/toy.ts";
import { trainable } from "./trainable.ts";

const [N, IN, OUT] = [32, 5, 3];
/** y = x w, whose mean square error has the Hessian 2 / (N out) xᵀ x for each column of w. */
const linear = tinyModel({
  inputs: { x: ["float32", ["N", IN]] },
  outputs: ["y"],
  weights: { w: gaussian([IN, OUT], 1) },
  nodes: [makeNode("MatMul", ["x", "w"], ["y"])],
});
const x = gaussian([N, IN], 2);
for (let i = 0; i < N; i++) (x.data as Float32Array)[i * IN] *= 3;
const training = () => [{ feeds: { x }, labels: tensor("float32", [N, OUT], gaussian([N, OUT], 3).data) }];

/** 2 / (N out) xᵀ x, [in, in] */
const block = Array.from({ length: IN }, (_, i) =>
  Array.from({ length: IN }, (_v, j) => {
    let sum = 0;
    for (let n = 0; n < N; n++) sum += x.data[n * IN + i] * x.data[n * IN + j];
    return (2 * sum) / (N * OUT);
  }),
);

describe("derivatives as values", () => {
  it("Q-20: the trace of 200 probes is within 5 % of the explicit Hessian's, the top eigenvalue within 1 %", async () => {
    const net = await trainable(tf, linear);
    const options = { training, loss: "meanSquares" as const };
    const trace = (await hessianTrace(net, { ...options, probes: 200 })).get("w") ?? 0;
    const exact = OUT * block.reduce((sum, row, i) => sum + row[i], 0);
    expect(Math.abs(trace / exact - 1)).toBeLessThan(0.05);
    let v = [1, 0.5, 0.2, 0.1, 0.3];
    let top = 0;
    for (let i = 0; i < 200; i++) {
      const product = block.map((row) => row.reduce((sum, h, j) => sum + h * v[j], 0));
      top = Math.hypot(...product);
      v = product.map((value) => value / top);
    }
    expect(Math.abs(((await hessianTop(net, options)).get("w") ?? 0) / top - 1)).toBeLessThan(0.01);
    net.dispose();
  });

  it("leaves the weights as they were, and no tensor over", async () => {
    const before = tf.memory().numTensors;
    const net = await trainable(tf, toyNet());
    const weights = [...net.weights.values()].map((w) => Array.from(w.dataSync()));
    await hessianTrace(net, { training: clouds(), probes: 1 });
    expect([...net.weights.values()].map((w) => Array.from(w.dataSync()))).toEqual(weights);
    net.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("the Fisher diagonal is the mean of squared gradients", async () => {
    const net = await trainable(tf, toyNet());
    const options = { training: clouds(3, 4) };
    const sum = new Float64Array(3);
    for await (const found of gradients(net, options))
      found.get("two.bias")?.forEach((g, i) => {
        sum[i] += g * g;
      });
    const found = (await fisher(net, options)).get("two.bias");
    for (const [i, value] of (found ?? []).entries()) expect(value).toBeCloseTo(sum[i] / 3, 6);
    expect(found).toHaveLength(3);
    await expect(fisher(net, { training: () => [] })).rejects.toMatchObject({ code: "BAD_DATA" });
    net.dispose();
  });
});

import { type Model, makeNode, type Pass, runPass, type Training, tensor } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { brokenMasks, masksOf } from "../mask.ts";
import { dst, stepSlope } from "./dst.ts";
import { gradual } from "./gradual.ts";
import { han } from "./han.ts";
import { str } from "./str.ts";
import { spliced, surgery } from "./surgery.ts";

const [INPUTS, HIDDEN, CLASSES] = [8, 16, 3];

const net = (): Model =>
  tinyModel({
    inputs: { x: ["float32", ["N", INPUTS]] },
    outputs: ["y"],
    weights: { one: gaussian([INPUTS, HIDDEN], 1, 0.5), two: gaussian([HIDDEN, CLASSES], 2, 0.5) },
    nodes: [
      makeNode("MatMul", ["x", "one"], ["h"]),
      makeNode("Relu", ["h"], ["r"]),
      makeNode("MatMul", ["r", "two"], ["y"]),
    ],
  });

/** Three clouds of points. */
const training: Training = function* ({ rng }) {
  for (let batch = 0; batch < 12; batch++) {
    const labels = Int32Array.from({ length: 16 }, () => rng.below(CLASSES));
    const x = Float32Array.from({ length: 16 * INPUTS }, (_, i) => {
      const label = labels[Math.floor(i / INPUTS)];
      return rng.normal() * 0.6 + (i % INPUTS === label ? 2 : 0);
    });
    yield { feeds: { x: tensor("float32", [16, INPUTS], x) }, labels: tensor("int32", [16], labels) };
  }
};

const optimizer = { kind: "adam", learningRate: 0.01 } as const;
const SIZE = INPUTS * HIDDEN + HIDDEN * CLASSES;

/** Loss of the last epoch, zeros of all weights, and the model. */
const made = async (pass: Pass, model = net()) => {
  const losses: number[] = [];
  const result = await runPass(model, pass, {
    tf,
    training,
    progress: (event) => {
      if (event.kind === "note") losses.push(Number(/loss ([\d.e-]+)/.exec(event.text)?.[1]));
    },
  });
  const values = ["one", "two"].map((name) => result.graph.weights.get(name)?.data as Float32Array);
  const zeros = values.flatMap((w) => Array.from(w)).filter((w) => w === 0).length;
  return { result, losses, zeros };
};

describe("han", () => {
  it("P-01: leaves exactly the zeros of its last round, keeps its promise, and each round lowers the loss again", async () => {
    const { result, losses, zeros } = await made(han({ sparsities: [0.5, 0.75], epochs: 4, optimizer }));
    expect(zeros).toBe(Math.round(0.75 * SIZE));
    expect([...masksOf(result).values()].reduce((sum, mask) => sum + mask.zeros, 0)).toBe(zeros);
    expect(await brokenMasks(result)).toEqual([]);
    expect(losses).toHaveLength(8);
    expect(losses[3]).toBeLessThan(losses[0]);
    expect(losses[7]).toBeLessThan(losses[4]);
  });

  it("refuses sparsities that don't rise", () => {
    expect(() => han({ sparsities: [0.5, 0.5] })).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
    expect(() => han({ sparsities: [1] })).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});

describe("gradual", () => {
  it("P-09: ends at exactly its sparsity, and below the loss of pruning at once without training on", async () => {
    const options = { optimizer, epochs: 6 };
    const slow = await made(gradual({ ...options, sparsity: 0.8, every: 4 }));
    expect(slow.zeros).toBe(Math.round(0.8 * SIZE));
    const once = await made(han({ sparsities: [0.8], epochs: 1, optimizer: { kind: "sgd", learningRate: 1e-9 } }));
    expect(slow.losses.at(-1)).toBeLessThan(once.losses[0] ?? 0);
  });
});

describe("str", () => {
  it("P-05: decay of thresholds makes zeros, more in one layer than in another; none without", async () => {
    const options = { epochs: 4, optimizer: { kind: "sgd", learningRate: 0.1, momentum: 0.9 } } as const;
    const sparse = await made(str({ ...options, thresholdDecay: 0.05, start: -3 }));
    expect(sparse.zeros).toBeGreaterThan(SIZE / 20);
    const shares = ["one", "two"].map((name) => {
      const w = sparse.result.graph.weights.get(name)?.data as Float32Array;
      return w.filter((value) => value === 0).length / w.length;
    });
    expect(shares[0]).not.toBe(shares[1]);
    const dense = await made(str({ ...options, start: -40 }));
    expect(dense.zeros).toBe(0);
  });
});

describe("dst", () => {
  it("P-06: the derivative of the step is 2, 0.4, 0.4, 0.4 and 0 at 0, ±0.4, ±0.7, ±1 and ±1.2", () => {
    const at = [0, 0.4, -0.4, 0.7, -0.7, 1, 1.2, -1.2];
    const found = Array.from(stepSlope(tf as never, tf.tensor1d(at) as never).dataSync());
    [2, 0.4, 0.4, 0.4, 0.4, 0.4, 0, 0].forEach((slope, i) => {
      expect(found[i]).toBeCloseTo(slope, 5);
    });
  });

  it("P-06: more weights go for a larger alpha", async () => {
    const zeros: number[] = [];
    for (const alpha of [0, 1e-3, 1e-2])
      zeros.push((await made(dst({ alpha, epochs: 4, optimizer: { kind: "sgd", learningRate: 0.05 } }))).zeros);
    expect(zeros[0]).toBeLessThan(zeros[1] as number);
    expect(zeros[1]).toBeLessThan(zeros[2] as number);
  });
});

describe("surgery", () => {
  it("P-07: masks go at low, come at high, and stay in between", () => {
    for (const was of [0, 1]) {
      expect(spliced(0.89, was, 0.9, 1.1)).toBe(0);
      expect(spliced(0.9, was, 0.9, 1.1)).toBe(was);
      expect(spliced(1.09, was, 0.9, 1.1)).toBe(was);
      expect(spliced(1.1, was, 0.9, 1.1)).toBe(1);
    }
  });

  it("P-07: trains around its masks, and weights come back", async () => {
    const { zeros, losses, result } = await made(surgery({ c: 0.5, epochs: 6, optimizer }));
    expect(zeros).toBeGreaterThan(SIZE / 4);
    expect(losses.at(-1)).toBeLessThan(losses[0] as number);
    const start = net();
    const limit = (w: Float32Array) => {
      const sizes = Array.from(w, Math.abs);
      const mean = sizes.reduce((a, b) => a + b) / sizes.length;
      return mean + 0.5 * Math.sqrt(sizes.reduce((a, b) => a + (b - mean) ** 2, 0) / (sizes.length - 1));
    };
    const [before, after] = [start, result].map((m) => m.graph.weights.get("one")?.data as Float32Array);
    const low = 0.9 * limit(before as Float32Array);
    const back = Array.from(before as Float32Array).filter(
      (w, i) => Math.abs(w) < low && (after as Float32Array)[i] !== 0,
    );
    expect(back.length).toBeGreaterThan(0);
  });
});

describe("all of them", () => {
  for (const [name, pass] of Object.entries({ han, gradual, str, dst, surgery }))
    it(`${name} needs data, gives the same bits for the same seed, and leaves no tensor over`, async () => {
      await expect(runPass(net(), pass(), { tf })).rejects.toMatchObject({ code: "MISSING_NEED" });
      const before = tf.memory().numTensors;
      const [a, b] = [await made(pass({ optimizer })), await made(pass({ optimizer }))];
      for (const key of ["one", "two"])
        expect(a.result.graph.weights.get(key)?.data).toEqual(b.result.graph.weights.get(key)?.data);
      expect(tf.memory().numTensors).toBe(before);
    });
});

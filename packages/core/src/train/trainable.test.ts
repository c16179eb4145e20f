import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { realFeeds } from "../../test/real-feeds.ts";
import { realModels } from "../../test/real-models.ts";
import { makeNode } from "../attrs.ts";
import type { Model } from "../model.ts";
import { readOnnx } from "../onnx/read.ts";
import type { Feeds } from "../pass.ts";
import { openSession } from "../run/session.ts";
import { gaussian, tinyModel, tinyModels } from "../testing/index.ts";
import { operators } from "./operators.ts";
import { tf } from "./testing/check-operator.ts";
import { trainable } from "./trainable.ts";

/** Largest difference between the engine and onnxruntime, over the largest value of each output (or 0.01). */
const worst = async (model: Model, feeds: Feeds): Promise<number> => {
  const session = await openSession(ort, model);
  const net = await trainable(tf, model);
  const expected = await session.run(feeds);
  await session.release();
  const errors = tf.tidy(() => {
    const { outputs } = net.run(feeds);
    return Object.entries(expected).map(([name, { data, dims }]) => {
      expect(outputs[name].shape).toEqual(dims);
      const found = outputs[name].dataSync();
      let [error, size] = [0, 0];
      found.forEach((value, i) => {
        error = Math.max(error, Math.abs(value - Number(data[i])));
        size = Math.max(size, Math.abs(Number(data[i])));
      });
      return error / Math.max(size, 1e-2);
    });
  });
  net.dispose();
  return Math.max(...errors);
};

describe("trainable", () => {
  it("knows at least 90 operators", () => {
    expect(Object.keys(operators).length).toBeGreaterThanOrEqual(90);
  });

  for (const [name, open] of Object.entries(tinyModels))
    it(`gives the outputs of onnxruntime for ${name} within 1e-5 of their largest value`, async () => {
      const { model, samples } = open();
      expect(await worst(model, samples[0])).toBeLessThan(1e-5);
    });

  for (const [name, feeds] of Object.entries(realFeeds))
    it(`gives the outputs of onnxruntime for ${name} within 1e-4 of their largest value`, async () => {
      const model = readOnnx(new Uint8Array(readFileSync(realModels[name as keyof typeof realModels])));
      expect(await worst(model, feeds)).toBeLessThan(1e-4);
    });

  it("keeps one variable for a weight that is used twice, and writes it back once", async () => {
    const model = tinyModel({
      inputs: { x: ["float32", [null, 4]] },
      outputs: ["y"],
      nodes: [makeNode("MatMul", ["x", "w"], ["h"]), makeNode("MatMul", ["h", "w"], ["y"])],
      weights: { w: gaussian([4, 4], 1) },
    });
    const net = await trainable(tf, model);
    expect([...net.weights.keys()]).toEqual(["w"]);
    const w = net.weights.get("w");
    w?.assign(tf.ones([4, 4]));
    const written = await net.write();
    expect(Array.from(written.graph.weights.get("w")?.data as Float32Array)).toEqual(Array(16).fill(1));
    expect(written.graph.weights.size).toBe(1);
    net.dispose();
  });

  it("names the nodes without a gradient before anything runs", async () => {
    const model = tinyModel({
      inputs: { x: ["float32", [4]] },
      outputs: ["y"],
      nodes: [
        makeNode("NonZero", ["x"], ["n"], {}, { name: "find" }),
        makeNode("Bernoulli", ["x"], ["y"], {}, { name: "toss" }),
      ],
    });
    await expect(trainable(tf, model)).rejects.toThrow(/NonZero \("find"\); Bernoulli \("toss"\)/);
    await expect(trainable(tf, model)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  it("refuses a filter that chooses nothing, and data without an input", async () => {
    const { model } = tinyModels[Object.keys(tinyModels)[0]]();
    await expect(trainable(tf, model, { train: "nothing*" })).rejects.toMatchObject({ code: "BAD_OPTION" });
    const net = await trainable(tf, model);
    expect(() => net.run({})).toThrow(expect.objectContaining({ code: "BAD_DATA" }));
    net.dispose();
  });

  it("holds no tensor once it is disposed of", async () => {
    const before = tf.memory().numTensors;
    const { model, samples } = Object.values(tinyModels)[0]();
    const net = await trainable(tf, model);
    tf.tidy(() => {
      net.run(samples[0]);
    });
    net.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

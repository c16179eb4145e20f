import {
  attrs,
  type Model,
  makeNode,
  openSession,
  type Pass,
  readOnnx,
  runPass,
  type Training,
  tensor,
  writeOnnx,
} from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { registerGradients, type Tf } from "@espalier/core/train";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { levelsOf, onLearnedStep } from "../training/learned-step.ts";
import { binaryCodes, binaryConnect } from "./binary-connect.ts";
import { lsq } from "./lsq.ts";
import { ternaryCodes, twn } from "./twn.ts";

const CLASSES = 3;

/** A convolution, a dense layer and a last one: x [N, 1, 6, 6] -> y [N, 3]. */
const net = (): Model =>
  tinyModel({
    inputs: { x: ["float32", ["N", 1, 6, 6]] },
    outputs: ["y"],
    opset: 13,
    weights: {
      conv: gaussian([4, 1, 3, 3], 1, 0.4),
      bias: gaussian([4], 2, 0.1),
      dense: gaussian([8, 64], 3, 0.2),
      last: gaussian([CLASSES, 8], 4, 0.4),
    },
    nodes: [
      makeNode("Conv", ["x", "conv", "bias"], ["c"], {}, { name: "conv" }),
      makeNode("Relu", ["c"], ["cr"]),
      makeNode("Flatten", ["cr"], ["f"]),
      makeNode("Gemm", ["f", "dense"], ["d"], { transB: attrs.int(1) }, { name: "dense" }),
      makeNode("Relu", ["d"], ["dr"]),
      makeNode("Gemm", ["dr", "last"], ["y"], { transB: attrs.int(1) }, { name: "last" }),
    ],
  });

/** Images with a bright row that tells the class. */
const training: Training = function* ({ rng }) {
  for (let batch = 0; batch < 10; batch++) {
    const labels = Int32Array.from({ length: 16 }, () => rng.below(CLASSES));
    const x = Float32Array.from({ length: 16 * 36 }, (_, i) => {
      const row = Math.floor((i % 36) / 6);
      return rng.normal() * 0.3 + (Math.floor(row / 2) === labels[Math.floor(i / 36)] ? 1 : 0);
    });
    yield { feeds: { x: tensor("float32", [16, 1, 6, 6], x) }, labels: tensor("int32", [16], labels) };
  }
};

const made = async (pass: Pass) => {
  const losses: number[] = [];
  const result = await runPass(net(), pass, {
    tf,
    training,
    progress: (event) => {
      if (event.kind === "note") losses.push(Number(/loss ([\d.e-]+)/.exec(event.text)?.[1]));
    },
  });
  return { result: readOnnx(await writeOnnx(result)), losses };
};

/** Mean cross-entropy of a model as onnxruntime runs it. */
const lossOf = async (model: Model): Promise<number> => {
  const session = await openSession(ort, model);
  let [sum, count] = [0, 0];
  const rng = { normal: () => 0, below: (n: number) => (count + 1) % n } as never;
  for (const { feeds, labels } of training({ epoch: 0, rng }) as Iterable<never>) {
    const scores = Object.values(await session.run(feeds))[0]!.data as Float32Array;
    (labels as { data: Int32Array }).data.forEach((label, i) => {
      const row = Array.from(scores.slice(i * CLASSES, (i + 1) * CLASSES));
      sum += Math.log(row.reduce((all, v) => all + Math.exp(v), 0)) - (row[label] as number);
      count++;
    });
  }
  await session.release();
  return sum / count;
};

const optimizer = { kind: "adam", learningRate: 0.01, schedule: "cosine" } as const;

describe("lsq", () => {
  it("Q-03: the gradient of the step at v/s = -9, -0.3, 0.3, 1.2 and 9 is -8, 0.3, -0.3, -0.2 and 7", () => {
    registerGradients(tf as unknown as Tf);
    const levels = levelsOf(4, true);
    [-9, -0.3, 0.3, 1.2, 9].forEach((v, i) => {
      const [dv, ds] = tf.grads(
        (value, step) => onLearnedStep(tf as never, value as never, step as never, levels, 1) as never,
      )([tf.tensor1d([v]), tf.scalar(1)]);
      expect(ds?.dataSync()[0]).toBeCloseTo([-8, 0.3, -0.3, -0.2, 7][i] as number, 5);
      expect(dv?.dataSync()[0]).toBe([0, 1, 1, 1, 0][i]);
    });
  });

  for (const bits of [2, 4, 8])
    it(`Q-03: ${bits} bits learn, and onnxruntime runs the file: a third of the first loss or less, codes on their grid`, async () => {
      const { result, losses } = await made(lsq({ bits, epochs: 8, optimizer }));
      const ours = losses.at(-1) as number;
      expect(ours).toBeLessThan((losses[0] as number) / 3);
      expect(await lossOf(result)).toBeLessThan(0.5);
      const codes = [...result.graph.weights].find(([name]) => name.startsWith("dense_q"))?.[1].data as Int8Array;
      const { low, high } = levelsOf(bits, true);
      expect(codes.every((code) => code >= low && code <= high)).toBe(true);
      expect(result.graph.nodes.filter(({ opType }) => opType === "QuantizeLinear")).toHaveLength(2);
    });

  it("refuses widths out of range", () => {
    expect(() => lsq({ bits: 1 })).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
    expect(() => lsq({ edgeBits: 9 })).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});

describe("twn and binaryConnect", () => {
  it("Q-22: the factor is the best for its codes", () => {
    const w = gaussian([500], 9).data;
    const { codes, step } = ternaryCodes(w);
    const error = (by: number) => w.reduce((sum, value, i) => sum + (value - by * (codes[i] as number)) ** 2, 0);
    expect(error(step)).toBeLessThan(error(step * 1.01));
    expect(error(step)).toBeLessThan(error(step * 0.99));
  });

  it("Q-04: zero counts as 1", () => {
    expect(Array.from(binaryCodes(Float32Array.of(0, -0.5, 2), false).codes)).toEqual([1, -1, 1]);
  });

  for (const [name, pass] of Object.entries({
    "Q-22: twn": twn({ epochs: 8, optimizer }),
    "Q-04: binaryConnect with a factor": binaryConnect({ scaled: true, epochs: 8, optimizer }),
  }))
    it(`${name} learns, and onnxruntime runs the file`, async () => {
      const { result, losses } = await made(pass);
      expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 2);
      expect(await lossOf(result)).toBeLessThan(0.7);
      const codes = [...result.graph.weights]
        .filter(([key]) => key.endsWith("_q"))
        .map(([, { data }]) => data as Int8Array);
      expect(codes).toHaveLength(3);
      expect(codes.every((list) => list.every((code) => Math.abs(code) <= 1))).toBe(true);
    });
});

describe("all of them", () => {
  for (const [name, pass] of Object.entries({ lsq, twn, binaryConnect }))
    it(`${name} needs data, gives the same bytes for the same seed, and leaves no tensor over`, async () => {
      await expect(runPass(net(), pass(), { tf })).rejects.toMatchObject({ code: "MISSING_NEED" });
      const before = tf.memory().numTensors;
      const bytes = async () => Array.from(await writeOnnx((await made(pass({ optimizer }))).result));
      expect(await bytes()).toEqual(await bytes());
      expect(tf.memory().numTensors).toBe(before);
    });
});

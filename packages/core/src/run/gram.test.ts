import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import {
  type Attribute,
  attrs,
  gramObserver,
  gramOf,
  gramReason,
  layers,
  makeNode,
  normObserver,
  observe,
} from "../index.ts";
import type { Model, Node } from "../model.ts";
import type { Feeds } from "../pass.ts";
import { gaussian, tinyModel, tinyTransformer } from "../testing/index.ts";
import { openSession } from "./session.ts";

interface Case {
  readonly node: Node;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly columns: number;
  readonly groups?: number;
  /** Axis of the output that tells the outputs of the weight apart, from the end. */
  readonly axis: number;
}

const made = (op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}) => {
  const [opType, domain = ""] = op.split("::").reverse();
  return makeNode(opType, inputs, ["y"], attributes, { name: "layer", domain });
};
const conv = (attributes: Readonly<Record<string, Attribute>>) => made("Conv", ["x", "w"], attributes);
const { int, ints, string } = attrs;

const cases: Readonly<Record<string, Case>> = {
  MatMul: { node: made("MatMul", ["x", "w"]), x: [2, 5, 7], w: [7, 4], columns: 7, axis: -1 },
  "MatMul, weight on the left": { node: made("MatMul", ["w", "x"]), x: [3, 7, 5], w: [4, 7], columns: 7, axis: -2 },
  "MatMul of a vector": { node: made("MatMul", ["x", "w"]), x: [7], w: [7, 4], columns: 7, axis: -1 },
  "Gemm transA": { node: made("Gemm", ["x", "w"], { transA: int(1) }), x: [7, 5], w: [7, 4], columns: 7, axis: -1 },
  "Gemm transB": { node: made("Gemm", ["x", "w"], { transB: int(1) }), x: [5, 7], w: [4, 7], columns: 7, axis: -1 },
  "Gemm, weight on the left, transB": {
    node: made("Gemm", ["w", "x"], { transB: int(1) }),
    x: [5, 7],
    w: [4, 7],
    columns: 7,
    axis: -2,
  },
  "FusedMatMul transA": {
    node: made("com.microsoft::FusedMatMul", ["x", "w"], { transA: int(1) }),
    x: [2, 7, 5],
    w: [7, 4],
    columns: 7,
    axis: -1,
  },
  "Conv 1 × 1": { node: conv({}), x: [2, 6, 5, 4], w: [4, 6, 1, 1], columns: 6, axis: -3 },
  "Conv 3 × 2 with strides, pads and dilations": {
    node: conv({ strides: ints([2, 1]), pads: ints([1, 0, 2, 1]), dilations: ints([1, 2]) }),
    x: [2, 3, 9, 8],
    w: [4, 3, 3, 2],
    columns: 18,
    axis: -3,
  },
  "Conv SAME_UPPER": {
    node: conv({ auto_pad: string("SAME_UPPER"), strides: ints([2, 2]) }),
    x: [1, 3, 8, 7],
    w: [4, 3, 3, 3],
    columns: 27,
    axis: -3,
  },
  "Conv SAME_LOWER": {
    node: conv({ auto_pad: string("SAME_LOWER"), strides: ints([2, 2]) }),
    x: [1, 3, 8, 7],
    w: [4, 3, 2, 2],
    columns: 12,
    axis: -3,
  },
  "Conv VALID": { node: conv({ auto_pad: string("VALID") }), x: [1, 3, 8, 7], w: [4, 3, 3, 3], columns: 27, axis: -3 },
  "Conv in two groups": {
    node: conv({ group: int(2) }),
    x: [2, 6, 5, 5],
    w: [4, 3, 2, 2],
    columns: 12,
    groups: 2,
    axis: -3,
  },
  "depthwise Conv": {
    node: conv({ group: int(4), pads: ints([1, 1, 1, 1]) }),
    x: [1, 4, 20, 20],
    w: [4, 1, 3, 3],
    columns: 9,
    groups: 4,
    axis: -3,
  },
  "Conv over one axis": { node: conv({ strides: ints([3]) }), x: [2, 3, 20], w: [4, 3, 5], columns: 15, axis: -2 },
};

const modelOf = ({ node, x, w }: Case): Model =>
  tinyModel({
    inputs: { x: ["float32", x] },
    outputs: ["y"],
    weights: { w: gaussian(w, 2) },
    nodes: [node],
    domains: { "com.microsoft": 1 },
  });

const samplesOf = ({ x }: Case): Feeds[] => [1, 2, 3].map((seed) => ({ x: gaussian(x, seed) }));

/** For each output of the weight: the sum of what it gave, and of its squares. */
const outputSums = async (model: Model, samples: readonly Feeds[], axis: number) => {
  const session = await openSession(ort, model, { threads: 1 });
  const sums = new Map<number, [sum: number, squares: number]>();
  for (const feeds of samples) {
    const { y } = await session.run(feeds);
    const at = y.dims.length + axis;
    const inner = y.dims.slice(at + 1).reduce((a, b) => a * b, 1);
    (y.data as Float32Array).forEach((value, i) => {
      const out = Math.floor(i / inner) % y.dims[at];
      const [sum, squares] = sums.get(out) ?? [0, 0];
      sums.set(out, [sum + value, squares + value * value]);
    });
  }
  await session.release();
  return sums;
};

const BOUND = 1e-5;

describe("gramObserver", () => {
  for (const [name, given] of Object.entries(cases))
    it(`${name}: w G wᵀ and w · sums are the squares and the sums of what onnxruntime computes, within 1e-5`, async () => {
      const [model, samples] = [modelOf(given), samplesOf(given)];
      const stats = (await observe(model, gramObserver(), { ort, calibration: () => samples, progress() {} })).get(
        "layer",
      )!;
      expect([stats.columns, stats.groups]).toEqual([given.columns, given.groups ?? 1]);
      const w = await layers(model)[0].weight.read();
      const outputs = w.length / given.columns;
      const expected = await outputSums(model, samples, given.axis);
      expect(expected.size).toBe(outputs);
      for (const [out, [sum, squares]] of expected) {
        const group = Math.floor((out * stats.groups) / outputs);
        const { data, columns } = gramOf(stats, group);
        let [quadratic, linear] = [0, 0];
        for (let i = 0; i < columns; i++) {
          linear += w[out * columns + i] * stats.sums[group * columns + i];
          for (let j = 0; j < columns; j++)
            quadratic += w[out * columns + i] * w[out * columns + j] * data[i * columns + j];
        }
        expect(Math.abs(quadratic - squares)).toBeLessThanOrEqual(BOUND * squares);
        expect(Math.abs(linear - sum)).toBeLessThanOrEqual(BOUND * Math.sqrt(stats.n * squares));
      }
    });

  it("a transposed convolution whose kernels do not overlap: w G wᵀ is the squares of its outputs within 1e-5", async () => {
    for (const groups of [1, 2]) {
      const node = made("ConvTranspose", ["x", "w"], { strides: ints([2, 2]), group: int(groups) });
      const given: Case = { node, x: [2, 6, 3, 4], w: [6, 4, 2, 2], columns: 6 / groups, axis: -3 };
      const [model, samples] = [modelOf(given), samplesOf(given)];
      const stats = (await observe(model, gramObserver(), { ort, calibration: () => samples, progress() {} })).get(
        "layer",
      )!;
      const { weight } = layers(model)[0];
      const [w, [outputs, inputs]] = [await weight.read(), weight.dims];
      for (const [out, [, squares]] of await outputSums(model, samples, -3)) {
        const { data } = gramOf(stats, Math.floor((out * groups) / outputs));
        let quadratic = 0;
        for (let tap = 0; tap < 4; tap++)
          for (let i = 0; i < inputs; i++)
            for (let j = 0; j < inputs; j++)
              quadratic += w[(out * inputs + i) * 4 + tap] * w[(out * inputs + j) * 4 + tap] * data[i * inputs + j];
        expect(Math.abs(quadratic - squares)).toBeLessThanOrEqual(BOUND * squares);
      }
    }
  });

  it("layers that see one input share one object, folded once, and a second run starts anew", async () => {
    const { model, samples } = tinyTransformer();
    const observer = gramObserver();
    const context = { ort, calibration: () => samples, progress() {} };
    const first = await observe(model, observer, context);
    expect(first.get("q_m")).toBe(first.get("v_m"));
    expect(first.get("q_m")).not.toBe(first.get("o"));
    expect(first.get("q_m")!.n).toBe(3 * 7);
    const second = await observe(model, observer, context);
    expect(second.get("q_m")!.n).toBe(3 * 7);
    expect(second.get("q_m")!.gram).toEqual(first.get("q_m")!.gram);
  });

  it("leaves tables, recurrent weights, stacks and what passes its limit out, each with a reason", () => {
    const reasonOf = (node: Node, w: readonly number[], maxBytes?: number) =>
      gramReason(
        layers(modelOf({ node, x: [2, 3], w, columns: 0, axis: -1 }))[0],
        maxBytes === undefined ? {} : { maxBytes },
      );
    expect(reasonOf(made("Gather", ["w", "x"]), [5, 4])).toMatch(/table/);
    expect(reasonOf(made("MatMul", ["x", "w"]), [2, 3, 4])).toMatch(/stack/);
    expect(reasonOf(made("MatMul", ["x", "w"]), [10, 4], 55 * 8)).toBeUndefined();
    expect(reasonOf(made("MatMul", ["x", "w"]), [10, 4], 55 * 8 - 1)).toMatch(/440 bytes/);
    const lstm = layers(
      modelOf({ node: made("LSTM", ["x", "w", "w"]), x: [2, 3], w: [1, 16, 4], columns: 0, axis: -1 }),
    );
    expect(gramReason(lstm[0])).toMatch(/inside|both|different/);
  });
});

describe("normObserver", () => {
  it("has the diagonal of the Gram matrix as its squares within 1e-12, and sizes and maxima of the patches", async () => {
    for (const given of [cases.MatMul, cases["Conv in two groups"]]) {
      const [model, samples] = [modelOf(given), samplesOf(given)];
      const context = { ort, calibration: () => samples, progress() {} };
      const gram = (await observe(model, gramObserver(), context)).get("layer")!;
      const norms = (await observe(model, normObserver(), context)).get("layer")!;
      expect(norms.n).toBe(gram.n);
      for (let group = 0; group < gram.groups; group++) {
        const { data, columns } = gramOf(gram, group);
        for (let i = 0; i < columns; i++) {
          const at = group * columns + i;
          expect(Math.abs(norms.squares[at] - data[i * columns + i])).toBeLessThanOrEqual(1e-12 * norms.squares[at]);
          expect(norms.absolutes[at] ** 2).toBeLessThanOrEqual(norms.n * norms.squares[at]);
          expect(norms.largest[at] ** 2).toBeLessThanOrEqual(norms.squares[at]);
          expect(norms.largest[at] * norms.n).toBeGreaterThanOrEqual(norms.absolutes[at]);
        }
      }
    }
  });
});

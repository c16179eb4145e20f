import {
  attrs,
  layers,
  type Model,
  makeNode,
  measureSize,
  openSession,
  type Pass,
  type ReportEntry,
  runPass,
  type Tensor,
  tensor,
} from "@espalier/core";
import { expectClose, gaussian, testPass, tinyModel, tinyModels } from "@espalier/core/testing";
import * as node from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { cp, separable, spatial, tucker } from "../index.ts";

web.env.wasm.numThreads = 1;

const models = { conv: tinyModels.conv, mlp: tinyModels.mlp };
describe("spatial", () => testPass(it, () => spatial({ ratio: 0.3 }), { ort: node, models }));
describe("tucker", () => testPass(it, () => tucker({ ratio: 0.3 }), { ort: node, models }));
describe("cp", () => testPass(it, () => cp({ ratio: 0.7, rounds: 10 }), { ort: node, models }));
describe("separable", () => testPass(it, () => separable({ ratio: 0.3 }), { ort: node, models }));

const { ints, string } = attrs;
const windows = {
  "strides, pads, dilations": { strides: ints([2, 1]), pads: ints([1, 0, 2, 1]), dilations: ints([1, 2]) },
  SAME_UPPER: { auto_pad: string("SAME_UPPER"), strides: ints([2, 2]) },
  SAME_LOWER: { auto_pad: string("SAME_LOWER"), strides: ints([1, 2]) },
  VALID: { auto_pad: string("VALID") },
  plain: {},
};

const modelOf = (w: Tensor, attributes: (typeof windows)[keyof typeof windows]): Model =>
  tinyModel({
    inputs: { x: ["float32", [2, w.dims[1], 9, 8]] },
    outputs: ["y"],
    weights: { w, b: gaussian([w.dims[0]], 3) },
    nodes: [makeNode("Conv", ["x", "w", "b"], ["y"], attributes, { name: "conv" })],
  });

const run = async (ort: typeof node | typeof web, model: Model, x: Tensor) => {
  const session = await openSession(ort, model);
  try {
    return (await session.run({ x })).y;
  } finally {
    await session.release();
  }
};

/** W[o, i, h, w] = a[o] b[i] c[h] d[w]: what every form holds exactly at rank 1. */
const outerProduct = (dims: readonly number[]): Tensor => {
  const factors = dims.map((dim, i) => gaussian([dim], i + 1).data);
  const [, inputs, height, width] = dims;
  return tensor(
    "float32",
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, at) => {
      const index = [
        Math.floor(at / (inputs * height * width)),
        Math.floor(at / (height * width)) % inputs,
        Math.floor(at / width) % height,
        at % width,
      ];
      return index.reduce((product, i, axis) => product * factors[axis][i], 1);
    }),
  );
};

const passes: Readonly<Record<string, (rank: number) => Pass>> = {
  spatial: (rank) => spatial({ rank }),
  tucker: (rank) => tucker({ rank }),
  cp: (rank) => cp({ rank }),
  separable: (rank) => separable({ rank }),
};

describe("rows of convolutions", () => {
  for (const [name, make] of Object.entries(passes))
    for (const [window, attributes] of Object.entries(windows))
      it(`R-02: ${name}, ${window}: an outer product is recovered at rank 1 within 1e-5, in node and web`, async () => {
        const model = modelOf(outerProduct([12, 6, 3, 2]), attributes);
        const made = await runPass(model, make(1));
        expect(measureSize(made).parameters).toBeLessThan(measureSize(model).parameters / 3);
        const x = gaussian([2, 6, 9, 8], 7);
        for (const ort of [node, web]) expectClose(await run(ort, made, x), await run(ort, model, x), 1e-5);
      });

  it("R-02: parameters are as the formulas say: r(in k + l out), in q + p q taps + p out, r(out + in + k + l), r in (out + taps)", async () => {
    const model = modelOf(gaussian([12, 6, 3, 2], 1), {});
    const expected = {
      spatial: 2 * (6 * 3 + 2 * 12),
      tucker: 6 * 2 + 2 * 2 * 6 + 2 * 12,
      cp: 2 * (12 + 6 + 3 + 2),
      separable: 2 * 6 * (12 + 6),
    };
    for (const [name, make] of Object.entries(passes)) {
      const sizes = layers(await runPass(model, make(2))).map(({ weight }) => weight.dims.reduce((a, b) => a * b, 1));
      expect(sizes.reduce((a, b) => a + b, 0)).toBe(expected[name as keyof typeof expected]);
    }
  });

  it("convolutions in groups, of 1 × 1, and those that would not shrink are left, with the reason; a budget that no ranks meet is BAD_OPTION", async () => {
    const reasons = async (w: Tensor, pass: Pass, group = 1) => {
      const entries: ReportEntry[] = [];
      const model = tinyModel({
        inputs: { x: ["float32", [1, w.dims[1] * group, 9, 8]] },
        outputs: ["y"],
        weights: { w },
        nodes: [makeNode("Conv", ["x", "w"], ["y"], { group: attrs.int(group) }, { name: "conv" })],
      });
      expect(await runPass(model, pass, { report: (entry) => entries.push(entry) })).toBe(model);
      return entries[0].reason;
    };
    expect(await reasons(gaussian([12, 3, 3, 3], 1), tucker(), 2)).toMatch(/2 groups/);
    expect(await reasons(gaussian([12, 6, 1, 1], 1), tucker())).toMatch(/kernel is 1 × 1/);
    expect(await reasons(gaussian([12, 6, 3, 1], 1), spatial())).toMatch(/kernel is 3 × 1/);
    for (const make of Object.values(passes))
      expect(await reasons(gaussian([12, 6, 3, 3], 1), make(200))).toMatch(/would take/);
    await expect(reasons(gaussian([12, 6, 3, 3], 1), spatial({ budget: 0.99 }))).rejects.toMatchObject({
      code: "BAD_OPTION",
    });
  });

  it("R-02: by budget the parameters of all layers fall by that share, and a layer of low rank pays for one of noise", async () => {
    const noise = gaussian([16, 16, 3, 3], 1);
    // the same kernel column and row between all channels: all three forms hold it at rank 1
    const [out, inner, column, row] = [16, 16, 3, 3].map((length, i) => gaussian([length], 5 + i).data as Float32Array);
    const low = tensor("float32", [16, 16, 3, 3], new Float32Array(noise.data.length));
    low.data.forEach((_, at) => {
      const [o, i, h, w] = [Math.floor(at / 144), Math.floor(at / 9) % 16, Math.floor(at / 3) % 3, at % 3];
      (low.data as Float32Array)[at] = out[o] * inner[i] * column[h] * row[w];
    });
    const model = tinyModel({
      inputs: { x: ["float32", [1, 16, 9, 8]] },
      outputs: ["y"],
      weights: { noise, low },
      nodes: [
        makeNode("Conv", ["x", "noise"], ["z"], {}, { name: "noisy" }),
        makeNode("Conv", ["z", "low"], ["y"], {}, { name: "lowly" }),
      ],
    });
    for (const make of [spatial, tucker, cp]) {
      const entries: ReportEntry[] = [];
      const made = await runPass(model, make({ budget: 0.4 }), { report: (entry) => entries.push(entry) });
      const total = layers(made).reduce((sum, { weight }) => sum + weight.dims.reduce((a, b) => a * b, 1), 0);
      expect(total).toBeLessThanOrEqual(0.6 * 2 * noise.data.length);
      expect(entries.map(({ layer, action }) => [layer, action])).toEqual([
        ["noisy", "skipped"],
        ["lowly", "changed"],
      ]);
      const sessions = [await openSession(node, model), await openSession(node, made)];
      const x = gaussian([1, 16, 9, 8], 3);
      const [before, after] = [await sessions[0].run({ x }), await sessions[1].run({ x })];
      expectClose(after.y, before.y, 1e-3);
      for (const session of sessions) await session.release();
    }
  });
});

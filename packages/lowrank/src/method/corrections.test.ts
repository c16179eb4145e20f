import {
  compareModels,
  type EspalierError,
  type Feeds,
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
import { gaussian, testPass, tinyModel, tinyModels } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { roundedCodes, roundRows } from "../../test/rounding.ts";
import { loftq, lqer } from "../index.ts";

web.env.wasm.numThreads = 1;

const models = { mlp: tinyModels.mlp, transformer: tinyModels.transformer };
describe("lqer", () => testPass(it, () => lqer({ quantize: roundRows(2), rank: 4 }), { ort, models }));
describe("loftq", () => testPass(it, () => loftq({ quantize: roundedCodes(2), rank: 4, rounds: 2 }), { ort, models }));

const SIZE = 96;
const modelOf = (w: Tensor): Model =>
  tinyModel({
    inputs: { x: ["float32", ["t", SIZE]] },
    outputs: ["y"],
    weights: { w },
    nodes: [makeNode("MatMul", ["x", "w"], ["y"], {}, { name: "layer" })],
  });

const noise = gaussian([SIZE, SIZE], 1);
/** Singular values that fall as 1 / r²: sums of outer products. */
const decaying = (): Tensor => {
  const [u, v] = [gaussian([SIZE, SIZE], 2).data, gaussian([SIZE, SIZE], 3).data];
  const w = new Float32Array(SIZE * SIZE);
  for (let r = 0; r < SIZE; r++)
    for (let i = 0; i < SIZE; i++)
      for (let j = 0; j < SIZE; j++) w[i * SIZE + j] += (u[r * SIZE + i] * v[r * SIZE + j]) / (1 + r) ** 2;
  return tensor("float32", [SIZE, SIZE], w);
};

/** Activations of which every eighth column is 20 times larger. */
const samples: Feeds[] = [1, 2].map((seed) => {
  const x = gaussian([64, SIZE], 10 + seed);
  return {
    x: tensor(
      "float32",
      x.dims,
      x.data.map((value, at) => (at % 8 === 0 ? 20 * value : value)),
    ),
  };
});
const even: Feeds[] = [{ x: gaussian([256, SIZE], 20) }];

const errorOf = async (model: Model, pass: Pass<never>, data: readonly Feeds[] = samples) => {
  const made = await runPass(model, pass as Pass, { ort, calibration: () => data });
  return (await compareModels(model, made, { ort, data: () => data })).outputs.y.relativeL2;
};

describe("corrections", () => {
  it("R-07: LQER weighed by activations beats LQER that is not in output error, and both beat the quantizer, by 10 % and more", async () => {
    const model = modelOf(noise);
    const quantize = roundRows(7);
    const [alone, plain, weighed] = [
      await errorOf(model, quantize as Pass<never>),
      await errorOf(model, lqer({ quantize, rank: 12, scale: "none" }) as Pass<never>),
      await errorOf(model, lqer({ quantize, rank: 12 }) as Pass<never>),
    ];
    expect(plain).toBeLessThan(0.9 * alone);
    expect(weighed).toBeLessThan(0.9 * plain);
  });

  it("R-07: what LoftQ leaves does not rise with rounds, and falls", async () => {
    const model = modelOf(noise);
    const errors: number[] = [];
    for (const rounds of [1, 2, 5])
      errors.push(
        await errorOf(
          model,
          loftq({ quantize: roundRows(3), rank: 12, rounds, storage: "float32" }) as Pass<never>,
          even,
        ),
      );
    // measured on Gaussian inputs: the residual's norm within a few per cent
    expect(errors[1]).toBeLessThanOrEqual(errors[0] * 1.005);
    expect(errors[2]).toBeLessThan(errors[0]);
  });

  it("C-04: at equal bytes, int4 and rank 3 in float16 beat int5 where singular values fall off, and lose on white noise", async () => {
    // 96 × 96 bits more are 3 (96 + 96) numbers of 16 bits
    const both = { quantize: roundRows(7), rank: 3, rounds: 3, start: "svd" } as const;
    for (const [w, wins] of [
      [decaying(), true],
      [noise, false],
    ] as const) {
      const split = await errorOf(modelOf(w), loftq(both) as Pass<never>, even);
      const alone = await errorOf(modelOf(w), roundRows(15) as Pass<never>, even);
      expect(split < alone).toBe(wins);
    }
  });

  it("finds what a quantizer made that replaces nodes: the same correction as for one that replaces values, within 1e-5", async () => {
    const model = modelOf(noise);
    const [values, codes] = [roundRows(3), roundedCodes(3)];
    const [a, b] = [
      await runPass(model, lqer({ quantize: values, rank: 8 }), { ort, calibration: () => samples }),
      await runPass(model, lqer({ quantize: codes, rank: 8 }), { ort, calibration: () => samples }),
    ];
    expect(measureSize(b).bytes).toBeLessThan(measureSize(a).bytes);
    expect((await compareModels(a, b, { ort, data: () => samples })).outputs.y.relativeL2).toBeLessThan(1e-5);
    for (const runtime of [ort, web]) {
      const session = await openSession(runtime, b);
      expect((await session.run(samples[0])).y.dims).toEqual([64, SIZE]);
      await session.release();
    }
  });

  it("reports the share of the error that is left, and layers that are left as quantized, with the reason", async () => {
    const { model, samples: given } = tinyModels.conv();
    const entries: ReportEntry[] = [];
    await runPass(model, lqer({ quantize: roundRows(3), rank: 4 }), {
      ort,
      calibration: () => given,
      report: (entry) => entries.push(entry),
    });
    const own = entries.filter(({ pass }) => pass === "lowrank/lqer");
    expect(own.filter(({ action }) => action === "skipped").every(({ reason }) => /only linear/.test(reason!))).toBe(
      true,
    );
    expect(own.find(({ action }) => action === "changed")?.form).toMatch(/^rank 4, error × 0\.\d{3}$/);
    expect(own).toHaveLength(layers(model).length);
  });

  it("a missing quantizer, ranks and rounds that are none are BAD_OPTION, before anything runs", () => {
    for (const make of [
      () => lqer(),
      () => lqer({ quantize: roundRows(3), rank: 0 }),
      () => loftq({ quantize: roundRows(3), rounds: 0 }),
      () => loftq({ quantize: {} as Pass }),
    ])
      expect(make).toThrowError(expect.objectContaining({ code: "BAD_OPTION" } satisfies Partial<EspalierError>));
  });
});

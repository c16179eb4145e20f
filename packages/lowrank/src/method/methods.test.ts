import {
  compareModels,
  type EspalierError,
  type Feeds,
  layers,
  type Model,
  makeNode,
  type Pass,
  type ReportEntry,
  runPass,
  tensor,
} from "@espalier/core";
import { gaussian, testPass, tinyModel, tinyModels, tinyTransformer } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { asvd, type FactorOptions, fwsvd, svd, svdLlm } from "../index.ts";

const small = { mlp: tinyModels.mlp, transformer: tinyModels.transformer };
describe("svd", () => testPass(it, () => svd({ ratio: 0.3 }), { ort }));
describe("asvd", () => testPass(it, () => asvd({ ratio: 0.3 }), { ort }));
describe("svdLlm", () => testPass(it, () => svdLlm({ ratio: 0.3 }), { ort }));
describe("svdLlm, together, by budget, updated", () =>
  testPass(it, () => svdLlm({ budget: 0.3, together: true, update: true }), { ort, models: small }));
const fisher = ({ weight }: { weight: { dims: readonly number[] } }) =>
  new Float32Array(weight.dims.reduce((a, b) => a * b, 1)).map((_, i) => 1 + (i % 5));
describe("fwsvd", () => testPass(it, () => fwsvd({ ratio: 0.3, fisher }), { ort }));

/** One MatMul whose inputs have a few large columns and depend on each other, as activations do. */
const skewed = (): { model: Model; samples: Feeds[] } => {
  const [inputs, hidden] = [32, 8];
  const mixing = gaussian([hidden, inputs], 3).data;
  const samples = Array.from({ length: 4 }, (_, s) => {
    const [z, e] = [gaussian([64, hidden], 10 + s).data, gaussian([64, inputs], 20 + s, 0.1).data];
    const x = Float32Array.from({ length: 64 * inputs }, (_v, at) => {
      const [t, j] = [Math.floor(at / inputs), at % inputs];
      let sum = e[at];
      for (let k = 0; k < hidden; k++) sum += z[t * hidden + k] * mixing[k * inputs + j];
      return sum * (j % 8 === 0 ? 10 : 1);
    });
    return { x: tensor("float32", [64, inputs], x) };
  });
  const model = tinyModel({
    inputs: { x: ["float32", ["t", inputs]] },
    outputs: ["y"],
    weights: { w: gaussian([inputs, 48], 1) },
    nodes: [makeNode("MatMul", ["x", "w"], ["y"], {}, { name: "layer" })],
  });
  return { model, samples };
};

const errorOf = async ({ model, samples }: ReturnType<typeof skewed>, pass: Pass<never>) => {
  const made = await runPass(model, pass as Pass, { ort, calibration: () => samples });
  const { outputs } = await compareModels(model, made, { ort, data: () => samples });
  return outputs.y.relativeL2 ** 2;
};

const factor = (make: (options: FactorOptions) => unknown) => make({ rank: 6 }) as Pass<never>;

describe("metrics", () => {
  it("R-04, R-05: output error falls from SVD to ASVD to SVD-LLM on inputs with large columns", async () => {
    const given = skewed();
    const [plain, scaled, white] = [
      await errorOf(given, factor(svd)),
      await errorOf(given, factor(asvd)),
      await errorOf(given, factor(svdLlm)),
    ];
    expect(scaled).toBeLessThan(0.7 * plain);
    expect(white).toBeLessThan(0.7 * scaled);
  });

  it("R-03: uniform Fisher information is SVD to the last bit, and another one lowers the error that it weighs", async () => {
    const given = skewed();
    const read = async (pass: Pass) => {
      const made = await runPass(given.model, pass);
      const [down, up] = await Promise.all(layers(made).map(({ weight }) => weight.read()));
      return { down, up };
    };
    expect(await read(fwsvd({ rank: 6, fisher: () => new Float32Array(32 * 48).fill(2) }))).toEqual(
      await read(svd({ rank: 6 })),
    );
    const values = new Float32Array(48 * 32).map((_, at) => (at % 32 < 6 ? 100 : 1));
    const w = await layers(given.model)[0].weight.read();
    const weighed = ({ down, up }: { down: Float32Array; up: Float32Array }) => {
      let sum = 0;
      for (let i = 0; i < 48; i++)
        for (let j = 0; j < 32; j++) {
          let rest = w[i * 32 + j];
          for (let r = 0; r < 6; r++) rest -= up[i * 6 + r] * down[r * 32 + j];
          sum += values[i * 32 + j] * rest * rest;
        }
      return sum;
    };
    expect(weighed(await read(fwsvd({ rank: 6, fisher: new Map([["layer", values]]) })))).toBeLessThan(
      0.7 * weighed(await read(svd({ rank: 6 }))),
    );
  });

  it("R-05: fitting the second factors lowers what two layers in a row do to the output by 5 % and more", async () => {
    const { model, samples } = tinyTransformer();
    const run = async (update: boolean) => {
      const made = await runPass(model, svdLlm({ ratio: 0.5, only: ["MatMul"], update }), {
        ort,
        calibration: () => samples,
      });
      return (await compareModels(model, made, { ort, data: () => samples })).outputs.y.relativeL2;
    };
    expect(await run(true)).toBeLessThan(0.95 * (await run(false)));
  });

  it("tables: rows that are asked for often lose less than by plain SVD, and no row is given up", async () => {
    const { model, samples } = tinyTransformer();
    const table = await layers(model)[0].weight.read();
    const seen = new Set(samples.flatMap(({ ids }) => [...(ids.data as BigInt64Array)].map(Number)));
    const lossOf = async (pass: Pass) => {
      const made = await runPass(model, pass, { ort, calibration: () => samples });
      const [up, down] = await Promise.all(
        layers(made)
          .slice(0, 2)
          .map(({ weight }) => weight.read()),
      );
      const losses: [seen: number, all: number] = [0, 0];
      for (let row = 0; row < 96; row++)
        for (let j = 0; j < 32; j++) {
          let rest = table[row * 32 + j];
          // the second factor lies [in, out] in its MatMul, and layers show it [out, in]
          for (let r = 0; r < 8; r++) rest -= up[row * 8 + r] * down[j * 8 + r];
          losses[1] += rest * rest;
          if (seen.has(row)) losses[0] += rest * rest;
        }
      return losses;
    };
    const [plain, weighed] = [
      await lossOf(svd({ rank: 8, only: ["Gather"] })),
      await lossOf(svdLlm({ rank: 8, only: ["Gather"] }) as Pass),
    ];
    expect(weighed[0]).toBeLessThan(plain[0]);
    expect(weighed[1]).toBeLessThan(1.1 * plain[1]);
  });

  it("together: query, key and value get one first factor, and less output error at equal parameters than apart", async () => {
    const { model, samples } = tinyTransformer();
    const only = ["q_m", "k_m", "v_m"];
    const run = async (options: FactorOptions) => {
      const made = await runPass(model, svdLlm({ only, ...options }), { ort, calibration: () => samples });
      const { outputs } = await compareModels(model, made, { ort, data: () => samples });
      return { made, error: outputs.y.relativeL2 };
    };
    const joint = await run({ ratio: 0.4, together: true });
    expect(joint.made.graph.nodes.filter(({ name }) => name.endsWith("_down"))).toHaveLength(1);
    expect(joint.made.graph.nodes.filter(({ name }) => name.endsWith("_up"))).toHaveLength(3);
    expect(joint.error).toBeLessThan((await run({ ratio: 0.4 })).error);
  });
});

describe("bad input", () => {
  const { mlp } = tinyModels;
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => "none",
      (error: EspalierError) => error.code,
    );

  it("a rank above that of every layer is BAD_OPTION; above some layers', those are left with the reason", async () => {
    expect(await codeOf(runPass(mlp().model, svd({ rank: 25 })))).toBe("BAD_OPTION");
    const entries: ReportEntry[] = [];
    await runPass(mlp().model, svd({ rank: 12 }), { report: (entry) => entries.push(entry) });
    expect(entries.map(({ action, reason }) => [action, reason])).toEqual([
      ["changed", undefined],
      ["skipped", "rank 12 would take 696 parameters for 480"],
    ]);
  });

  it("weights that are not finite are left alone, with the reason", async () => {
    const { model } = mlp();
    const w1 = gaussian([24, 48], 1);
    w1.data[5] = Number.NaN;
    const entries: ReportEntry[] = [];
    const bad = { ...model, graph: { ...model.graph, weights: new Map([...model.graph.weights, ["w1", w1]]) } };
    await runPass(bad, svd(), { report: (entry) => entries.push(entry) });
    expect(entries[0]).toMatchObject({ action: "skipped", reason: "its weights are not all finite" });
    expect(entries[1]).toMatchObject({ action: "changed" });
  });

  it("missing Fisher information, a wrong number of it, and alpha or damp out of range are BAD_OPTION", async () => {
    expect(() => fwsvd()).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
    expect(() => asvd({ alpha: -1 })).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
    expect(() => svdLlm({ damp: 2 })).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
    expect(await codeOf(runPass(mlp().model, fwsvd({ fisher: () => new Float32Array(3) })))).toBe("BAD_OPTION");
  });
});

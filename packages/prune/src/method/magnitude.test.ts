import {
  layers,
  type Model,
  makeNode,
  openSession,
  type ReportEntry,
  runPass,
  type Tensor,
  tensor,
} from "@espalier/core";
import { gaussian, testPass, tinyModel, tinyModels } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { brokenMasks, type MagnitudeOptions, magnitude, masksOf } from "../index.ts";

web.env.wasm.numThreads = 1;

for (const scope of ["layer", "row", "global"] as const)
  describe(`magnitude, scope ${scope}`, () => testPass(it, () => magnitude({ scope }), { ort }));
describe("magnitude, 2:4", () => testPass(it, () => magnitude({ pattern: "2:4" }), { ort }));

const modelOf = (w: Tensor, v?: Tensor): Model =>
  tinyModel({
    inputs: { x: ["float32", ["t", w.dims[1]]] },
    outputs: ["y"],
    weights: { w, ...(v && { v }) },
    nodes: [
      makeNode("Gemm", ["x", "w"], [v ? "h" : "y"], { transB: transposed }, { name: "first" }),
      ...(v ? [makeNode("Gemm", ["h", "v"], ["y"], { transB: transposed }, { name: "second" })] : []),
    ],
  });
const transposed = { kind: "int", value: 1n } as const;

const valuesOf = async (model: Model): Promise<Float32Array[]> =>
  Promise.all(layers(model).map(({ weight }) => weight.read()));
const pruned = async (model: Model, options: MagnitudeOptions): Promise<Float32Array[]> =>
  valuesOf(await runPass(model, magnitude(options)));

/** Which of the numbers stay, by sorting: of equal ones, those with higher indices. */
const oracle = (values: ArrayLike<number>, count: number): boolean[] => {
  const order = Array.from(values, (_, i) => i).sort((a, b) => Math.abs(values[a]) - Math.abs(values[b]) || a - b);
  const gone = new Set(order.slice(0, count));
  return Array.from(values, (_, i) => !gone.has(i));
};
const halfEven = (x: number) => {
  const [low, rest] = [Math.floor(x), x % 1];
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
};
const kept = (values: ArrayLike<number>) => Array.from(values, (value) => value !== 0);

/** Whole numbers, so that many are equal; none is 0. */
const coarse = (dims: readonly number[], seed: number): Tensor => {
  const { data } = gaussian(dims, seed, 2);
  return tensor(
    "float32",
    dims,
    data.map((value) => (value < 0 ? -1 : 1) * (1 + Math.trunc(Math.abs(value)))),
  );
};

describe("magnitude", () => {
  it.each([0.1, 0.25, 0.5, 0.875, 0.99])(
    "P-01: at sparsity %d what stays equals a sort's choice, of equal weights too, in each scope",
    async (sparsity) => {
      const [w, v] = [coarse([12, 30], 1), coarse([7, 12], 2)];
      const round = (n: number) => halfEven(sparsity * n);
      const layered = await pruned(modelOf(w, v), { sparsity });
      for (const [i, { data }] of [w, v].entries())
        expect(kept(layered[i])).toEqual(oracle(data as Float32Array, round(data.length)));
      const all = [...(w.data as Float32Array), ...(v.data as Float32Array)];
      const together = await pruned(modelOf(w, v), { sparsity, scope: "global" }).catch(({ code }) => code);
      if (sparsity < 0.9) expect(kept([...together[0], ...together[1]])).toEqual(oracle(all, round(all.length)));
      if (sparsity > 0.9) return;
      const [rows] = await pruned(modelOf(w), { sparsity, scope: "row" });
      for (let row = 0; row < 12; row++)
        expect(kept(rows.subarray(row * 30, (row + 1) * 30))).toEqual(
          oracle((w.data as Float32Array).subarray(row * 30, (row + 1) * 30), round(30)),
        );
    },
  );

  it("P-01: what stays keeps its value, bit for bit, and sparsity 0 changes nothing", async () => {
    const w = gaussian([16, 24], 3);
    const [values] = await pruned(modelOf(w), { sparsity: 0.6 });
    values.forEach((value, i) => {
      if (value !== 0) expect(value).toBe(w.data[i]);
    });
    const model = modelOf(w);
    expect(await runPass(model, magnitude({ sparsity: 0 }))).toBe(model);
  });

  it("P-01: by quality, what goes is smaller than q standard deviations of its layer, and nothing else goes", async () => {
    const w = gaussian([40, 50], 4);
    const [values] = await pruned(modelOf(w), { quality: 0.7 });
    const mean = w.data.reduce((a, b) => a + b, 0) / w.data.length;
    const deviation = Math.sqrt(w.data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / w.data.length);
    expect(kept(values)).toEqual(Array.from(w.data, (value) => Math.abs(value) >= 0.7 * deviation));
  });

  it("P-01: pruned further, it keeps the mask of the time before", async () => {
    const model = modelOf(gaussian([16, 24], 5));
    const half = await runPass(model, magnitude({ sparsity: 0.5 }));
    const more = await runPass(half, magnitude({ sparsity: 0.75 }));
    const [[a], [b]] = [await valuesOf(half), await valuesOf(more)];
    a.forEach((value, i) => {
      if (value === 0) expect(b[i]).toBe(0);
    });
    expect(await brokenMasks(more)).toEqual([]);
  });

  it("PL-04: of each N:M group the largest N stay, as the best of all choices does", async () => {
    for (const [keep, of] of [
      [2, 4],
      [1, 4],
      [4, 8],
      [1, 2],
    ]) {
      const w = gaussian([6, 24], 6);
      const [values] = await pruned(modelOf(w), { pattern: `${keep}:${of}` });
      for (let from = 0; from < values.length; from += of) {
        const group = Array.from(w.data.subarray(from, from + of), Math.abs);
        let best = 0;
        for (let choice = 0; choice < 2 ** of; choice++) {
          const chosen = group.filter((_, i) => (choice >> i) & 1);
          if (chosen.length === keep)
            best = Math.max(
              best,
              chosen.reduce((a, b) => a + b, 0),
            );
        }
        const stays = values.subarray(from, from + of);
        expect(kept(stays).filter(Boolean)).toHaveLength(keep);
        expect(stays.reduce((sum, value) => sum + Math.abs(value), 0)).toBeCloseTo(best, 5);
      }
    }
  });

  it("takes a score of one's own, and refuses scores that are too few or NaN", async () => {
    const w = gaussian([4, 6], 7);
    const [values] = await pruned(modelOf(w), { score: ({ w: own }) => own.map((_, i) => i) });
    expect(kept(values)).toEqual(Array.from(w.data, (_, i) => i >= 12));
    for (const score of [() => new Float32Array(3), ({ w: own }: { w: Float32Array }) => own.map(() => Number.NaN)])
      await expect(pruned(modelOf(w), { score })).rejects.toMatchObject({ code: "BAD_OPTION" });
  });

  it("says that expanded zeros take the same bytes, and leaves alone with a reason what cannot be pruned", async () => {
    const bad = gaussian([8, 8], 8);
    bad.data[3] = Number.POSITIVE_INFINITY;
    const entries: ReportEntry[] = [];
    const report = (entry: ReportEntry) => void entries.push(entry);
    await runPass(modelOf(bad, gaussian([4, 8], 9)), magnitude({ sparsity: 0.25 }), { report });
    expect(entries).toEqual([
      expect.objectContaining({ layer: "first", action: "skipped", reason: "its weights are not all finite" }),
      expect.objectContaining({
        layer: "second",
        form: "25.0 % zeros; expanded: same bytes",
        bytesAfter: 128,
        bytesBefore: 128,
      }),
    ]);
    entries.length = 0;
    await runPass(modelOf(gaussian([6, 7], 10)), magnitude({ pattern: "2:4" }), { report });
    await runPass(modelOf(gaussian([1, 3], 10)), magnitude({ sparsity: 0.9 }), { report });
    await runPass(tinyModels.transformer().model, magnitude(), { report });
    expect(entries.filter(({ action }) => action === "skipped").map(({ reason }) => reason)).toEqual([
      "4 does not divide the 7 weights of its rows",
      "sparsity 0.9 would leave none of its 3 weights",
      "it is a table of embeddings",
    ]);
  });

  it("refuses a sparsity that would empty layers, with BAD_OPTION", async () => {
    for (const options of [
      { sparsity: 1 },
      { sparsity: -0.1 },
      { sparsity: Number.NaN },
      { pattern: "4:4" },
      { pattern: "half" },
      { pattern: "2:4", sparsity: 0.5 },
      { quality: 1, sparsity: 0.5 },
      { quality: -1 },
    ])
      expect(() => magnitude(options)).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
    const small = gaussian([4, 8], 11, 1e-3);
    await expect(
      pruned(modelOf(gaussian([8, 8], 12), small), { sparsity: 0.6, scope: "global" }),
    ).rejects.toMatchObject({ code: "BAD_OPTION" });
    await expect(pruned(modelOf(small), { ratios: () => 1 })).rejects.toMatchObject({ code: "BAD_OPTION" });
  });

  it("notes masks that other passes can be held against, also of convolutions of all kinds", async () => {
    for (const open of Object.values(tinyModels)) {
      const { model } = open();
      const made = await runPass(model, magnitude({ sparsity: 0.5 }));
      expect(masksOf(made).size).toBeGreaterThan(0);
      expect(await brokenMasks(made)).toEqual([]);
      expect(await brokenMasks({ ...made, graph: model.graph })).toEqual([...masksOf(made).keys()]);
    }
  });

  it("gives models that onnxruntime-web runs with the outputs of onnxruntime-node, within 1e-5", async () => {
    const { model, samples } = tinyModels.conv();
    const made = await runPass(model, magnitude({ pattern: "1:4" }));
    const outputs: Float32Array[] = [];
    for (const runtime of [ort, web]) {
      const session = await openSession(runtime, made);
      outputs.push((await session.run(samples[0])).y.data as Float32Array);
      await session.release();
    }
    outputs[0].forEach((value, i) => {
      expect(Math.abs(outputs[1][i] - value)).toBeLessThanOrEqual(1e-5);
    });
  });
});

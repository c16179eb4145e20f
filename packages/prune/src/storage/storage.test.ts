import {
  compareModels,
  floatTensor,
  isEspalierError,
  measureSize,
  onnxBytes,
  openSession,
  type ReportEntry,
  readOnnx,
  runPass,
  tensor,
  writeOnnx,
} from "@espalier/core";
import { testPass, tinyModels } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { magnitude, packTwoFour, sparseBytes, sparseInitializers, unpackTwoFour } from "../index.ts";
import { bitmapOf, expandBitmap, survivorsOf } from "./pack-sparse.ts";

web.env.wasm.numThreads = 1;

const { mlp } = tinyModels;
describe("sparseInitializers", () => testPass(it, () => sparseInitializers(), { ort, models: { mlp } }));

describe("bitmap and values", () => {
  it("PL-04: expand to the tensor they came from, of each float type, with none, all, first and last values zero", async () => {
    for (const numbers of [[], [0, 0, 0], [1, 2, 3], [0, -2, 0, 0, 5, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]])
      for (const type of ["float32", "float64", "float16", "bfloat16"] as const) {
        const full = floatTensor(type, [numbers.length], Float32Array.from(numbers));
        const { places, values } = (await survivorsOf(full))!;
        expect(places).toEqual(numbers.flatMap((value, i) => (value === 0 ? [] : [i])));
        expect(expandBitmap(full, bitmapOf(full.dims, places), values as Float32Array)).toEqual(full);
      }
    expect(await survivorsOf(tensor("int8", [2], Int8Array.of(0, 1)))).toBeUndefined();
  });
});

describe("2:4", () => {
  it("PL-04: packs into 9 bits a half float and unpacks to the same weights, each pair of positions among them", () => {
    const pairs = [0, 1, 2, 3].flatMap((a) => [0, 1, 2, 3].map((b) => [a, b]));
    const groups = [
      ...pairs.map(([a, b]) => [0, 1, 2, 3].map((i) => (i === a ? 1.5 : i === b ? -2 : 0))),
      [0, 0, 0, 0],
    ];
    const w = Float32Array.from(groups.flat());
    const packed = packTwoFour(w);
    expect(unpackTwoFour(packed)).toEqual(w);
    const even = packTwoFour(w.subarray(0, 64));
    expect(16 * even.values.length + 8 * even.positions.length).toBe(9 * 64);
    for (const bad of [Float32Array.of(1, 2, 3, 0), Float32Array.of(1, 0)])
      expect(() => packTwoFour(bad)).toThrow(expect.objectContaining({ code: "BAD_DATA" }));
  });
});

describe("sparseBytes", () => {
  it("counts a bit for each weight and 4 bytes for each that stays; expanded, pruning saves nothing", async () => {
    const { model } = mlp();
    const made = await runPass(model, magnitude({ sparsity: 0.75 }));
    const { metadata } = model;
    const bare = { ...made, metadata };
    const found = await sparseBytes(bare);
    const dense = await sparseBytes(model);
    expect(found.expanded).toBe(onnxBytes(model));
    const weights = [24 * 48, 10 * 48];
    const saved = weights.reduce((sum, n) => sum + 4 * n - (n / 8 + n), 0);
    expect(found.weights).toBe(2);
    // names, dims and lengths of two tensors are written differently when they are empty
    expect(Math.abs(found.expanded - saved - found.packed)).toBeLessThan(32);
    expect(found.packedBrotli!).toBeLessThan(0.4 * found.expanded);
    expect(dense).toMatchObject({ weights: 0, packed: dense.expanded, packedBrotli: dense.expandedBrotli });
  });
});

describe("sparse_initializer", () => {
  it("makes the file smaller from two thirds of zeros on, and onnxruntime-node gives the same outputs", async () => {
    const { model, samples } = mlp();
    const pruned = await runPass(model, magnitude({ sparsity: 0.9 }));
    const entries: ReportEntry[] = [];
    const stored = await runPass(pruned, sparseInitializers(), { report: (entry) => entries.push(entry) });
    const read = readOnnx(await writeOnnx(stored));
    expect(read.graph.sparseWeights.map(({ name }) => name)).toEqual(["w1", "w2"]);
    expect(measureSize(read).bytes).toBeLessThan(0.5 * measureSize(pruned).bytes);
    const { outputs } = await compareModels(pruned, read, { ort, data: () => samples });
    expect(outputs.y.maxAbs).toBe(0);
    expect(
      entries.every(({ action, bytesBefore, bytesAfter }) => action === "changed" && bytesAfter! < bytesBefore!),
    ).toBe(true);
  });

  it("leaves weights with fewer zeros as they are, with the reason", async () => {
    const pruned = await runPass(mlp().model, magnitude({ sparsity: 0.5 }));
    const entries: ReportEntry[] = [];
    expect(await runPass(pruned, sparseInitializers(), { report: (entry) => entries.push(entry) })).toBe(pruned);
    expect(entries.map(({ layer, action }) => [layer, action])).toEqual([
      ["w1", "skipped"],
      ["w2", "skipped"],
    ]);
  });

  it("is run by onnxruntime-web with the same outputs", async () => {
    const { model, samples } = mlp();
    const pruned = await runPass(model, magnitude({ sparsity: 0.9 }));
    const stored = await runPass(pruned, sparseInitializers());
    const [a, b] = [await openSession(web, pruned), await openSession(web, stored).catch((error) => error)];
    expect(isEspalierError(b) ? b.message : "").toBe("");
    expect((await b.run(samples[0])).y).toEqual((await a.run(samples[0])).y);
  });
});

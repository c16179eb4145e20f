import {
  createContext,
  createRng,
  gramObserver,
  gramOf,
  observe,
  type PassKernels,
  runPass,
  writeOnnx,
} from "@espalier/core";
import { linearAlgebra, type Matrix, matrix, squaredNorm } from "@espalier/core/linalg";
import { tinyModels } from "@espalier/core/testing";
import { type GridOptions, packRows, quantizeRows, rtn } from "@espalier/quant";
import ort from "onnxruntime-node";
import { beforeAll, describe, expect, it } from "vitest";
import { passKernels } from "./kernels.ts";

let kernels: Required<PassKernels>;
beforeAll(async () => {
  kernels = (await passKernels()) as Required<PassKernels>;
});

/** Normal numbers with zeros, denormals and a few outliers among them. */
const weights = (count: number, seed: number): Float32Array => {
  const rng = createRng(seed);
  return Float32Array.from({ length: count }, (_, i) => {
    const value = rng.normal();
    return i % 97 === 0 ? 0 : i % 89 === 0 ? value * 2 ** -140 : i % 83 === 0 ? value * 300 : value * 0.05;
  });
};

const transposed = (w: Float32Array, rows: number, columns: number) => {
  const out = new Float32Array(w.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = w[i * columns + j]!;
  return out;
};

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength);

/** The kernels' result beside that of plain JavaScript: the same bits. */
const expectSame = (
  rows: number,
  columns: number,
  options: Required<Pick<GridOptions, "bits" | "blockSize">> & GridOptions,
  across: boolean,
) => {
  const w = weights(rows * columns, rows + columns);
  const expected = quantizeRows(w, rows, columns, options);
  const { bits, blockSize, symmetric = true, range = "full", scaleType = "float32" } = options;
  const grid = { bits, blockSize, symmetric, range, scaleType };
  const found = kernels.quantizeBlocks(
    across ? transposed(w, rows, columns) : w,
    { rows, columns, transposed: across },
    grid,
  );
  if (!found) throw new Error(`no kernel takes ${rows} × ${columns} in blocks of ${blockSize}`);
  const codes = found.packed ? packRows(expected.codes, rows, columns, bits) : expected.codes;
  expect(bytesOf(found.codes).equals(bytesOf(codes))).toBe(true);
  expect(bytesOf(found.scales).equals(bytesOf(expected.scales))).toBe(true);
  expect(found.zeroPoints === undefined).toBe(expected.zeroPoints === undefined);
  if (found.zeroPoints) expect(bytesOf(found.zeroPoints).equals(bytesOf(expected.zeroPoints as Uint8Array))).toBe(true);
};

const grids = ([8, 7, 6, 5, 4, 3, 2] as const).flatMap((bits) =>
  (["float32", "float16"] as const).flatMap((scaleType) => [
    { bits, scaleType, symmetric: false },
    { bits, scaleType, symmetric: true, range: "full" as const },
    { bits, scaleType, symmetric: true, range: "narrow" as const },
  ]),
);

describe("the command's kernels give the very bits of plain JavaScript", () => {
  it.each(grids)("on rows, with short last blocks and whole rows: %o", (grid) => {
    for (const [rows, columns, blockSize] of [
      [1, 16, 16],
      [5, 96, 32],
      [7, 100, 32],
      [3, 37, 16],
      [6, 45, 45],
      [9, 384, 512],
      [300, 384, 32],
    ] as const)
      expectSame(rows, columns, { ...grid, blockSize }, false);
  });

  it.each(grids)("on columns, with short last blocks, whole columns, and matrices of several panels: %o", (grid) => {
    for (const [rows, columns, blockSize] of [
      [4, 8, 32],
      [12, 104, 32],
      [384, 384, 32],
      [20, 72, 72],
      [1304, 808, 128],
    ] as const)
      if (rows < 1000 || (grid.bits === 4 && !grid.symmetric)) expectSame(rows, columns, { ...grid, blockSize }, true);
  });

  it("and say so where they do not take the sizes, or a value is not finite", () => {
    const grid = { bits: 4, blockSize: 20, symmetric: true, range: "full", scaleType: "float32" } as const;
    expect(kernels.quantizeBlocks(new Float32Array(80), { rows: 2, columns: 40 }, grid)).toBeUndefined();
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      const w = weights(64, 1).fill(value, 40, 41);
      const scales = kernels.quantizeBlocks(w, { rows: 1, columns: 64 }, { ...grid, blockSize: 32 })!.scales;
      expect([...scales].map(Number.isFinite)).toEqual([true, false]);
      const plain = quantizeRows(w, 1, 64, { bits: 4, blockSize: 32 }).scales;
      expect([...plain].map(Number.isFinite)).toEqual([true, false]);
    }
  });

  it.each(Object.entries(tinyModels))("in files: %s", async (_, make) => {
    for (const options of [{ bits: 4, symmetric: false, rest: "float16" }, { bits: 4 }, { bits: 8 }] as const) {
      const pass = rtn({ ...options, float16Below: 0 });
      const [fast, plain] = [
        await runPass(make().model, pass, createContext({ kernels })),
        await runPass(make().model, pass, createContext()),
      ];
      expect(Buffer.from(await writeOnnx(fast)).equals(Buffer.from(await writeOnnx(plain)))).toBe(true);
    }
  });
});

describe("the command's kernels agree with plain JavaScript", () => {
  const random = (rows: number, columns: number, seed: number) =>
    matrix(rows, columns, Float64Array.from(weights(rows * columns, seed)));

  it("on factors, inverses and products of Gram matrices, within 1e-12", () => {
    const [fast, plain] = [linearAlgebra(kernels), linearAlgebra()];
    const x = random(300, 150, 1);
    const close = (a: Matrix, b: Matrix) => {
      const largest = Math.sqrt(squaredNorm(b));
      for (const [i, value] of b.data.entries())
        expect(Math.abs(a.data[i]! - value)).toBeLessThanOrEqual(1e-12 * largest);
    };
    const gram = plain.gramMatrix(x);
    close(fast.gramMatrix(x), gram);
    const [a, b] = [fast.dampedCholesky(gram, { damp: 0.01 }), plain.dampedCholesky(gram, { damp: 0.01 })];
    expect(a.damping).toBe(b.damping);
    close(a.l, b.l);
    close(fast.invertCholesky(b.l), plain.invertCholesky(b.l));
    close(fast.solveCholesky(b.l, gram), plain.solveCholesky(b.l, gram));
    close(fast.matmul(x, gram), plain.matmul(x, gram));
  });

  it("on decompositions: the same singular values, eigenvalues, R and errors within 1e-12 of the largest", () => {
    const [fast, plain] = [linearAlgebra(kernels), linearAlgebra()];
    const x = random(90, 70, 2);
    const same = (a: Float64Array, b: Float64Array) => {
      const largest = Math.max(...b.map(Math.abs));
      for (const [i, value] of b.entries()) expect(Math.abs(a[i]! - value)).toBeLessThanOrEqual(1e-12 * largest);
    };
    same(fast.qr(x).r.data, plain.qr(x).r.data);
    same(fast.svd(x).s, plain.svd(x).s);
    const gram = plain.gramMatrix(x);
    same(fast.eigenSymmetric(gram).values, plain.eigenSymmetric(gram).values);
    const [a, b] = [fast.randomizedSvd(x, 9, createRng(3)), plain.randomizedSvd(x, 9, createRng(3))];
    same(a.s, b.s);
    expect(a.error / b.error).toBeCloseTo(1, 10);
  });

  it("on Gram matrices of what layers see, within 2^-16 of the diagonal", async () => {
    const { model, samples } = tinyModels.transformer();
    const statsOf = async (more: object) =>
      observe(model, gramObserver(), createContext({ ort, calibration: () => samples, ...more }));
    const [fast, plain] = [await statsOf({ kernels }), await statsOf({})];
    expect(plain.size).toBeGreaterThan(2);
    for (const [name, stats] of plain) {
      const [a, b] = [gramOf(fast.get(name)!), gramOf(stats)];
      const n = b.columns;
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++) {
          const bound = 2 ** -16 * Math.sqrt(b.data[i * n + i]! * b.data[j * n + j]!);
          expect(Math.abs(a.data[i * n + j]! - b.data[i * n + j]!)).toBeLessThanOrEqual(bound);
        }
    }
  });
});

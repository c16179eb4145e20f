import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dequantizeRows, type GridBits, highestOf, middleOf } from "./grid.ts";
import { packRows, unpackRows } from "./pack.ts";
import { quantizeRows } from "./quantize-rows.ts";

const gaussian = (length: number, seed: number): Float32Array => {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  return Float32Array.from({ length }, () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()));
};

const squaredError = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);

/** w[k] = k - 15.5, one row of 32. */
const ramp = Float32Array.from({ length: 32 }, (_, k) => k - 15.5);
const blocks16 = { blockSize: 16 } as const;
const packedBlocks = (bits: 8 | 4 | 2, codes: Uint8Array) => [...packRows(codes, 2, 16, bits)];

describe("the bytes that onnxruntime 1.30's quantizer writes for k - 15.5", () => {
  it("4 bits, symmetric: the second scale is negative", () => {
    const { codes, scales } = quantizeRows(ramp, 1, 32, { ...blocks16, bits: 4 });
    expect([...scales]).toEqual([1.9375, -1.9375]);
    expect([...codes.subarray(0, 16)]).toEqual([0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8]);
    expect(packedBlocks(4, codes)).toEqual(
      [16, 33, 50, 67, 84, 101, 118, 135].concat([120, 103, 86, 69, 52, 35, 18, 1]),
    );
  });
  it("4 bits, asymmetric", () => {
    const { codes, scales, zeroPoints } = quantizeRows(ramp, 1, 32, { ...blocks16, bits: 4, symmetric: false });
    expect([...scales]).toEqual([Math.fround(15.5 / 15), Math.fround(15.5 / 15)]);
    expect([...packRows(zeroPoints as Uint8Array, 1, 2, 4, { fill: 8 })]).toEqual([0x0f]);
    const block = [16, 50, 84, 118, 152, 186, 220, 254];
    expect(packedBlocks(4, codes)).toEqual([...block, ...block]);
  });
  it("2 bits, symmetric and asymmetric", () => {
    const symmetric = quantizeRows(ramp, 1, 32, { ...blocks16, bits: 2 });
    expect([...symmetric.scales]).toEqual([7.75, -7.75]);
    expect(packedBlocks(2, symmetric.codes)).toEqual([0, 85, 85, 170, 170, 85, 85, 0]);
    const affine = quantizeRows(ramp, 1, 32, { ...blocks16, bits: 2, symmetric: false });
    expect(affine.scales[0]).toBe(Math.fround(5.1666665));
    expect(packedBlocks(2, affine.codes).slice(0, 4)).toEqual([64, 85, 170, 254]);
    expect([...packRows(affine.zeroPoints as Uint8Array, 1, 2, 2, { fill: 2 })]).toEqual([0xa3]);
  });
  it("8 bits, symmetric and asymmetric", () => {
    const symmetric = quantizeRows(ramp, 1, 32, { ...blocks16, bits: 8 });
    expect(symmetric.scales[0]).toBe(0.12109375);
    expect([...symmetric.codes.subarray(0, 16)]).toEqual([
      0, 8, 17, 25, 33, 41, 50, 58, 66, 74, 83, 91, 99, 107, 116, 124,
    ]);
    const affine = quantizeRows(ramp, 1, 32, { ...blocks16, bits: 8, symmetric: false });
    expect([...affine.zeroPoints!]).toEqual([255, 0]);
  });
});

const anyBits = fc.constantFrom<GridBits>(8, 7, 6, 5, 4, 3, 2);
const anyMatrix = fc
  .tuple(
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 70 }),
    fc.nat(),
    fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
  )
  .map(([rows, columns, seed, size]) => ({
    rows,
    columns,
    w: gaussian(rows * columns, seed).map((v) => v * size),
  }));

describe("quantizeRows", () => {
  it("stays within half a step of every weight inside the range, for every width, block and zero point", () => {
    fc.assert(
      fc.property(
        anyMatrix,
        anyBits,
        fc.boolean(),
        fc.integer({ min: 1, max: 80 }),
        (m, bits, symmetric, blockSize) => {
          const grid = quantizeRows(m.w, m.rows, m.columns, { bits, symmetric, blockSize });
          const back = dequantizeRows(grid);
          for (let i = 0; i < m.w.length; i++) {
            const at = Math.floor(i / m.columns) * grid.blocks + Math.floor((i % m.columns) / blockSize);
            const scale = grid.scales[at]!;
            const zero = grid.zeroPoints?.[at] ?? middleOf(bits);
            const ends = [-zero * scale, (highestOf(bits) - zero) * scale];
            if (m.w[i]! < Math.min(...ends) || m.w[i]! > Math.max(...ends)) continue;
            expect(Math.abs(back[i]! - m.w[i]!)).toBeLessThanOrEqual((Math.abs(scale) / 2) * (1 + 1e-5));
          }
        },
      ),
    );
  });
  it("gives no weight a closer code than the one it chose (brute force over the grid)", () => {
    fc.assert(
      fc.property(anyMatrix, fc.constantFrom<GridBits>(4, 3, 2), fc.boolean(), (m, bits, symmetric) => {
        const grid = quantizeRows(m.w, m.rows, m.columns, { bits, symmetric });
        const back = dequantizeRows(grid);
        for (let i = 0; i < m.w.length; i++) {
          const row = Math.floor(i / m.columns);
          const zero = grid.zeroPoints?.[row] ?? middleOf(bits);
          for (let code = 0; code <= highestOf(bits); code++) {
            const other = Math.abs((code - zero) * grid.scales[row]! - m.w[i]!);
            expect(Math.abs(back[i]! - m.w[i]!)).toBeLessThanOrEqual(other + Math.abs(grid.scales[row]!) * 1e-5);
          }
        }
      }),
    );
  });
  it("keeps 0 exactly 0 and changes nothing when it quantizes its own result", () => {
    fc.assert(
      fc.property(anyMatrix, anyBits, (m, bits) => {
        m.w[0] = 0;
        const once = dequantizeRows(quantizeRows(m.w, m.rows, m.columns, { bits }));
        expect(Math.abs(once[0]!)).toBe(0);
        expect(dequantizeRows(quantizeRows(once, m.rows, m.columns, { bits }))).toEqual(once);
        const affine = dequantizeRows(quantizeRows(m.w, m.rows, m.columns, { bits, symmetric: false }));
        expect(Math.abs(affine[0]!)).toBe(0);
      }),
    );
  });
  it("has a squared error that falls with the bits, with smaller blocks and with the clip search", () => {
    const w = gaussian(64 * 512, 7);
    const errorOf = (options: Parameters<typeof quantizeRows>[3]) =>
      squaredError(w, dequantizeRows(quantizeRows(w, 64, 512, options)));
    for (const symmetric of [true, false]) {
      for (const bits of [3, 4, 5, 6, 7, 8] as const)
        expect(errorOf({ bits, symmetric })).toBeLessThan(errorOf({ bits: (bits - 1) as GridBits, symmetric }) / 2.5);
      expect(errorOf({ bits: 4, symmetric, blockSize: 32 })).toBeLessThan(errorOf({ bits: 4, symmetric }));
      for (const bits of [4, 3, 2] as const)
        for (const blockSize of [16, 32, 128]) {
          const plain = errorOf({ bits, symmetric, blockSize });
          expect(errorOf({ bits, symmetric, blockSize, clip: "mse" })).toBeLessThan((symmetric ? 0.95 : 0.99) * plain);
        }
    }
  });
  it("never has a larger squared error in any row with the clip search than without", () => {
    fc.assert(
      fc.property(anyMatrix, anyBits, fc.boolean(), ({ w, rows, columns }, bits, symmetric) => {
        const [plain, fitted] = (["none", "mse"] as const).map((clip) =>
          dequantizeRows(quantizeRows(w, rows, columns, { bits, symmetric, clip })),
        );
        expect(squaredError(w, fitted!)).toBeLessThanOrEqual(squaredError(w, plain!) * (1 + 1e-5) + 1e-30);
      }),
    );
  });
  it("leaves the lowest code unused and scales positive on the narrow range", () => {
    const { codes, scales } = quantizeRows(gaussian(4096, 3), 8, 512, { bits: 8, range: "narrow" });
    expect(Math.min(...codes)).toBe(1);
    expect(Math.max(...codes)).toBeLessThanOrEqual(255);
    expect(scales.every((scale) => scale > 0)).toBe(true);
  });
  it("chooses codes for scales as float16 stores them", () => {
    const w = gaussian(512, 5);
    const { scales, codes } = quantizeRows(w, 4, 128, { bits: 4, blockSize: 16, scaleType: "float16" });
    const exact = quantizeRows(w, 4, 128, { bits: 4, blockSize: 16 });
    scales.forEach((scale, i) => {
      expect(Math.abs(scale / exact.scales[i]! - 1)).toBeLessThanOrEqual(2 ** -11);
      expect(Number.isInteger(scale * 2 ** 24)).toBe(true);
    });
    const reference = w.map((value, i) => Math.min(7, Math.max(-8, Math.round(value / scales[Math.floor(i / 16)]!))));
    expect([...codes]).toEqual([...reference].map((q) => q + 8));
  });
  it("fits the range of weights of one sign closer with float zero points than with whole ones", () => {
    const w = gaussian(1024, 9).map((v) => 5 + v);
    const errorOf = (zeroPoint: "integer" | "float") =>
      squaredError(w, dequantizeRows(quantizeRows(w, 8, 128, { bits: 4, symmetric: false, zeroPoint })));
    expect(errorOf("float")).toBeLessThan(0.7 * errorOf("integer"));
  });
});

describe("packRows", () => {
  it("lays 3 bits across bytes, low bits first: eight codes in three bytes", () => {
    const codes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0);
    const bits = codes.reduce((sum, code, i) => sum + code * 2 ** (3 * i), 0);
    expect([...packRows(codes, 1, 8, 3)]).toEqual([bits & 255, (bits >> 8) & 255, (bits >> 16) & 255]);
    expect(packRows(codes.subarray(0, 6), 2, 3, 3)).toHaveLength(4);
  });
  it("round trips through unpackRows for every width, row length and padding", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(8, 7, 6, 5, 4, 3, 2, 1),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 33 }),
        fc.nat({ max: 40 }),
        fc.nat(),
        (bits, rows, columns, more, seed) => {
          const codes = Uint8Array.from({ length: rows * columns }, (_, i) => (i * 7 + seed) % 2 ** bits);
          const padded = columns + more;
          const packed = packRows(codes, rows, columns, bits, { padded, fill: 1 });
          expect(packed.length).toBe(rows * Math.ceil((padded * bits) / 8));
          expect(unpackRows(packed, rows, columns, bits, { padded })).toEqual(codes);
        },
      ),
    );
  });
});

import { createRng } from "@espalier/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dequantizeRows } from "./grid.ts";
import { quantizeRows } from "./quantize-rows.ts";
import { quantizeValues } from "./quantize-values.ts";
import { E2M1, E4M3, E5M2, smallFloatValue } from "./small-float.ts";
import { type FormatOptions, formatOptions, type ValueFormat } from "./value-formats.ts";
import { dequantizeValues, valueGridBytes } from "./value-grid.ts";
import { NF4, smallFloatTable, valueTable } from "./value-table.ts";

const normals = (length: number, label: string): Float32Array => {
  const rng = createRng(1).fork(label);
  return Float32Array.from({ length }, () => rng.normal());
};

/** Student's t of 3 degrees of freedom. */
const heavy = (length: number): Float32Array => {
  const rng = createRng(2);
  return Float32Array.from({ length }, () => {
    const squares = rng.normal() ** 2 + rng.normal() ** 2 + rng.normal() ** 2;
    return rng.normal() / Math.sqrt(squares / 3);
  });
};

const gridOf = (w: Float32Array, format: ValueFormat, options: FormatOptions, rows = 1) =>
  quantizeValues(w, rows, w.length / rows, formatOptions(format, options));

/** Mean squared error over the mean square. */
const relative = (w: Float32Array, back: Float32Array): number =>
  w.reduce((sum, x, i) => sum + (x - back[i]!) ** 2, 0) / w.reduce((sum, x) => sum + x * x, 0);

const errorOf = (w: Float32Array, format: ValueFormat, options: FormatOptions) =>
  relative(w, dequantizeValues(gridOf(w, format, options)));

/** Distribution function of a Gaussian, by its series about 0. */
const phi = (x: number): number => {
  let [sum, term] = [x, x];
  for (let k = 3; Math.abs(term) > 1e-18; k += 2) sum += term *= (x * x) / k;
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
};

/** Its inverse, by halving. */
const quantile = (p: number): number => {
  let [low, high] = [-5, 5];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (phi(middle) < p) low = middle;
    else high = middle;
  }
  return low;
};

describe("NF4", () => {
  it("Q-15: its values are the quantiles of a Gaussian, to 2e-7, with 0 among them", () => {
    // 1 - (1 / 30 + 1 / 32) / 2, to the digits that the paper's code has
    const offset = 0.9677083;
    const points = (count: number) =>
      Array.from({ length: count - 1 }, (_, i) => quantile(offset + ((0.5 - offset) * i) / (count - 1)));
    const made = [...points(9), 0, ...points(8).map((x) => -x)].sort((a, b) => a - b);
    made.forEach((value, code) => {
      expect(Math.abs(value / made.at(-1)! - NF4[code]!)).toBeLessThan(2e-7);
    });
    expect(NF4[7]).toBe(0);
  });
  it("Q-15: on Gaussian blocks of 64 errs by 0.0084, below FP4 by 0.0111 and below int4 by 0.0116", () => {
    const w = normals(64 * 4096, "q15");
    const options = { blockSize: 64 };
    const int4 = relative(w, dequantizeRows(quantizeRows(w, 1, w.length, { bits: 4, blockSize: 64, range: "narrow" })));
    const found = [errorOf(w, "nf4", options), errorOf(w, "fp4", options), int4];
    [0.00842, 0.01113, 0.01159].forEach((expected, i) => {
      expect(Math.abs(found[i]! / expected - 1)).toBeLessThan(0.02);
    });
  });
  it("Q-15: double quantization moves scales by less than 1 % and takes 4.127 bits a weight, beside one float", () => {
    const w = normals(64 * 256 * 8, "dq");
    const plain = gridOf(w, "nf4", { blockSize: 64 });
    const double = gridOf(w, "nf4", { blockSize: 64, doubleQuant: true });
    const moved = double.scales.reduce((sum, scale, i) => sum + Math.abs(scale / plain.scales[i]! - 1), 0);
    expect(moved / plain.scales.length).toBeLessThan(0.01);
    expect(valueGridBytes(double)).toBe((w.length * (4 + 8 / 64 + 32 / (64 * 256))) / 8 + 4);
    expect(valueGridBytes(plain)).toBe((w.length * 4.5) / 8);
    expect(relative(w, dequantizeValues(double))).toBeLessThan(1.01 * relative(w, dequantizeValues(plain)));
  });
});

describe("small floats", () => {
  it("QL-08: E4M3 encodes the value of each of its 254 finite codes as that code, its largest is 448, and it has no infinity", () => {
    const table = smallFloatTable(E4M3);
    const values = Array.from({ length: 256 }, (_, code) => smallFloatValue(code, E4M3));
    expect(values.filter(Number.isNaN)).toHaveLength(2);
    expect(Math.max(...values.filter(Number.isFinite))).toBe(448);
    expect(values.includes(Number.POSITIVE_INFINITY)).toBe(false);
    values.forEach((value, code) => {
      if (Number.isFinite(value) && code !== 0x80) expect(table.nearest(value)).toBe(code);
    });
    expect([table.nearest(1e9), table.nearest(-1e9)].map((code) => values[code])).toEqual([448, -448]);
  });
  it("E5M2 has 57344 as its largest, infinities, and the subnormals of float16", () => {
    const values = Array.from({ length: 256 }, (_, code) => smallFloatValue(code, E5M2));
    expect(Math.max(...values.filter(Number.isFinite))).toBe(57344);
    expect(values[0x7c]).toBe(Number.POSITIVE_INFINITY);
    expect(values[1]).toBe(2 ** -16);
    const table = smallFloatTable(E5M2);
    values.forEach((value, code) => {
      if (Number.isFinite(value) && code !== 0x80) expect(table.nearest(value)).toBe(code);
    });
  });
  it("QL-07: E2M1 round trips its 16 codes and rounds ties to even", () => {
    const table = smallFloatTable(E2M1);
    const values = Array.from({ length: 16 }, (_, code) => smallFloatValue(code, E2M1));
    expect(values.slice(0, 8)).toEqual([0, 0.5, 1, 1.5, 2, 3, 4, 6]);
    values.forEach((value, code) => {
      expect(table.values[table.nearest(value)]! - value).toBe(0);
      if (code !== 8) expect(table.nearest(value)).toBe(code);
    });
    const ties = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5];
    for (const sign of [1, -1])
      expect(ties.map((x) => sign * table.values[table.nearest(sign * x)]! + 0)).toEqual([0, 1, 1, 2, 2, 4, 4]);
    expect(table.values[table.nearest(7.9)]).toBe(6);
  });
  it("finds the nearest value of any table (brute force)", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, min: -8, max: 8 }), { minLength: 1, maxLength: 20 }),
        fc.double({ noNaN: true, min: -9, max: 9 }),
        (values, x) => {
          const table = valueTable(Float32Array.from(values));
          const least = Math.min(...values.map((value) => Math.abs(value - x)));
          expect(Math.abs(table.values[table.nearest(x)]! - x)).toBe(least);
        },
      ),
    );
  });
});

describe("MXFP4", () => {
  it("QL-07: takes 17 bytes for 32 values, and its extremes over their scale lie in [4, 8)", () => {
    const w = normals(32 * 512, "mx").map((x, i) => x * 2 ** (i % 40) * 1e-6);
    const grid = gridOf(w, "mxfp4", { blockSize: 32 });
    expect(valueGridBytes(grid)).toBe(17 * 512);
    grid.scales.forEach((scale, block) => {
      const most = Math.max(...w.subarray(block * 32, block * 32 + 32).map(Math.abs)) / scale;
      expect(most).toBeGreaterThanOrEqual(4);
      expect(most).toBeLessThan(8);
      expect(Number.isInteger(Math.log2(scale))).toBe(true);
    });
  });
  it("QL-07: writes known bytes: 6, -3, 0.25 and 0.26 with the scale 2^0", () => {
    const { codes, stored } = gridOf(Float32Array.of(6, -3, 0.25, 0.26), "mxfp4", { blockSize: 32 });
    expect([...codes]).toEqual([7, 13, 0, 1]);
    expect(stored).toEqual({ kind: "e8m0", codes: Uint8Array.of(127) });
  });
  it("QL-07: a block of zeros gives zeros, and so do subnormal blocks, without NaN", () => {
    for (const value of [0, 1e-45]) {
      const back = dequantizeValues(gridOf(new Float32Array(32).fill(value), "mxfp4", { blockSize: 32 }));
      expect(back.every((x) => x === 0)).toBe(true);
    }
  });
});

describe("NVFP4", () => {
  it("QL-08: errs less than MXFP4, on a Gaussian 0.0091 for 0.0132 and on Student's t 0.0084 for 0.0197", () => {
    const [gaussian, student] = [normals(1 << 18, "nv"), heavy(1 << 18)];
    const found = [gaussian, student].map((w) => [
      errorOf(w, "nvfp4", { blockSize: 16 }),
      errorOf(w, "mxfp4", { blockSize: 32 }),
    ]);
    expect(Math.abs(found[0]![0]! / 0.0091 - 1)).toBeLessThan(0.03);
    expect(Math.abs(found[0]![1]! / 0.0132 - 1)).toBeLessThan(0.03);
    expect(found[1]![0]!).toBeLessThan(0.7 * found[1]![1]!);
  });
  it("QL-08: the extreme of a block is within 1/16, and 16 values take 9 bytes beside one float", () => {
    const w = normals(16 * 256, "nv2");
    const grid = gridOf(w, "nvfp4", { blockSize: 16 });
    const back = dequantizeValues(grid);
    for (let block = 0; block < 256; block++) {
      const own = [...w.subarray(block * 16, block * 16 + 16)];
      const at = block * 16 + own.findIndex((x) => Math.abs(x) === Math.max(...own.map(Math.abs)));
      expect(Math.abs(back[at]! / w[at]! - 1)).toBeLessThanOrEqual(1 / 16 + 1e-6);
    }
    expect(valueGridBytes(grid)).toBe(9 * 256 + 4);
  });
  it("QL-08: a tensor of zeros gives zeros, without NaN", () => {
    const grid = gridOf(new Float32Array(32), "nvfp4", { blockSize: 16 });
    expect(dequantizeValues(grid).every((x) => x === 0)).toBe(true);
    expect(grid.stored).toMatchObject({ factor: 1 });
  });
});

describe("quantizeValues", () => {
  it.each(["nf4", "fp4", "mxfp4", "nvfp4", "e4m3", "e5m2"] as const)(
    "%s: the search for the least squared error never errs more, and less on a Gaussian where there are steps to choose",
    (format) => {
      const w = normals(1 << 14, format);
      const [plain, fitted] = (["none", "mse"] as const).map((clip) => errorOf(w, format, { blockSize: 32, clip }));
      expect(fitted!).toBeLessThanOrEqual(plain! * (1 + 1e-6));
      if (format === "nf4" || format === "mxfp4") expect(fitted!).toBeLessThan(0.97 * plain!);
    },
  );
  it("chooses the nearest value for every weight, for any rows and short last blocks", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 40 }), fc.nat(), (rows, columns, seed) => {
        const w = normals(rows * columns, `any${seed}`);
        const grid = gridOf(w, "nf4", { blockSize: 16 }, rows);
        const back = dequantizeValues(grid);
        w.forEach((x, i) => {
          const scale = grid.scales[Math.floor(i / columns) * grid.blocks + Math.floor((i % columns) / 16)]!;
          const least = Math.min(...[...NF4].map((value) => Math.abs(value * scale - x)));
          expect(Math.abs(back[i]! - x)).toBeLessThanOrEqual(least + 1e-6);
        });
      }),
    );
  });
});

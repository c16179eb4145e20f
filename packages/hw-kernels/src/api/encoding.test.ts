import { brotliCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createKernels, type Tensor } from "../index.ts";
import { randomFloats } from "../ops/seeded.ts";

const tensor = (dims: number[], data: ArrayLike<number>): Tensor<"float32"> => ({
  type: "float32",
  dims,
  data: Float32Array.from(data),
});
const hw = await createKernels({ threads: 1 });

describe("what surrounds quantization", () => {
  it("ranges are those of each row, or of all together; NaN shows", () => {
    const x = tensor([2, 3], [1, -2, 5, 0, 7, Number.NaN]);
    expect(hw.range(x)).toEqual({ least: Float32Array.of(-2, Number.NaN), most: Float32Array.of(5, Number.NaN) });
    expect(hw.range(tensor([2, 2], [1, -2, 5, 0]), { together: true }).most).toEqual(Float32Array.of(5));
  });

  it("histograms count every number once, outside ones at the ends, NaN apart, and go on from counts", () => {
    const x = tensor([7], [-9, 0, 0.24, 0.25, 0.99, 1, Number.NaN]);
    const counts = hw.histogram(x, { bins: 4, low: 0, high: 1 });
    expect([...counts]).toEqual([3, 1, 0, 2, 1]);
    expect([...hw.histogram(x, { bins: 4, low: 0, high: 1, absolute: true, counts })]).toEqual([5, 2, 0, 5, 2]);
    expect(() => hw.histogram(x, { bins: 4, low: 1, high: 1 })).toThrowError(
      expect.objectContaining({ code: "BAD_OPTION" }),
    );
  });

  it("fake quantization rounds halves to even and clamps, with one scale or one a row", () => {
    const x = tensor([2, 3], [0.25, 0.75, 9, 0.25, 0.75, -9]);
    const grid = { lowest: -2, highest: 1 };
    expect([...hw.fakeQuantize(x, { ...grid, scale: 0.5 }).data]).toEqual([0, 0.5, 0.5, 0, 0.5, -1]);
    const scale = Float32Array.of(0.5, 0.25);
    expect([...hw.fakeQuantize(x, { ...grid, scale, zeroPoint: -1 }).data]).toEqual([0, 1, 1, 0.25, 0.5, -0.25]);
    expect(() => hw.fakeQuantize(x, { ...grid, scale: new Float32Array(3) })).toThrowError(
      expect.objectContaining({ code: "BAD_OPTION" }),
    );
  });

  it("matrices are transposed", () => {
    const { dims, data } = hw.transpose(tensor([2, 3], [1, 2, 3, 4, 5, 6]));
    expect([dims, [...data]]).toEqual([
      [3, 2],
      [1, 4, 2, 5, 3, 6],
    ]);
  });

  it("byte planes come back as they were, and brotli makes at least 5 % less of them", () => {
    const weights = randomFloats(5000, 1).map((value) => value * value * value);
    const bytes = new Uint8Array(weights.buffer);
    const planes = hw.bytePlanes(bytes, 4);
    expect(hw.fromBytePlanes(planes, 4)).toEqual(bytes);
    expect(brotliCompressSync(planes).length).toBeLessThanOrEqual(0.95 * brotliCompressSync(bytes).length);
    expect(() => hw.bytePlanes(bytes, 3)).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});

import { describe, expect, it } from "vitest";
import { createKernels, type Tensor } from "../index.ts";

type Floats = Tensor<"float32">;
const tensor = (dims: number[], data: ArrayLike<number>): Floats => ({
  type: "float32",
  dims,
  data: Float32Array.from(data),
});
const hw = await createKernels();
const expectClose = (got: Floats, wanted: number[]) => {
  expect(got.data.length).toBe(wanted.length);
  for (const [i, value] of wanted.entries()) expect(Math.abs(got.data[i]! - value)).toBeLessThan(1e-6);
};

describe("layers", () => {
  it("softmax: shares along the last dimension, scaled first", () => {
    const x = tensor([2, 1, 3], [0, Math.log(2), Math.log(5), 7, 7, -Infinity]);
    expectClose(hw.softmax(x), [0.125, 0.25, 0.625, 0.5, 0.5, 0]);
    expectClose(hw.softmax(x, { scale: 2 }), [1 / 30, 4 / 30, 25 / 30, 0.5, 0.5, 0]);
  });

  it("layerNorm and rmsNorm: known rows, gain and bias, in place", () => {
    const x = tensor([1, 4], [1, 3, 1, 3]);
    expectClose(hw.layerNorm(x, { epsilon: 0 }), [-1, 1, -1, 1]);
    const [gain, bias] = [tensor([4], [1, 2, 3, 4]), tensor([4], [0, 0, 10, 0])];
    expectClose(hw.layerNorm(x, { gain, bias, epsilon: 0 }), [-1, 2, 7, 4]);
    expect(hw.rmsNorm(x, { epsilon: 0, out: x })).toBe(x);
    expectClose(
      x,
      [1, 3, 1, 3].map((value) => value / Math.sqrt(5)),
    );
  });

  it("activate: known values", () => {
    const x = tensor([3], [-1, 0, 2]);
    expectClose(hw.activate(x, "gelu"), [-0.15865525, 0, 1.95449974]);
    expectClose(hw.activate(x, "geluTanh"), [-0.15880801, 0, 1.95459769]);
    expectClose(hw.activate(x, "silu"), [-0.26894142, 0, 1.76159416]);
    expectClose(hw.activate(x, "sigmoid"), [0.26894142, 0.5, 0.88079708]);
    expect(() => hw.activate(x, "swish" as never)).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
  });

  it("a product ends in any activation", () => {
    const [a, b] = [tensor([1, 1], [2]), tensor([1, 2], [1, -0.5])];
    expectClose(hw.gemm(a, b, { activation: "silu" }), [1.76159416, -0.26894142]);
    expectClose(
      hw.gemm(tensor([2, 1], [2, 2]), b, { activation: "gelu" }),
      [1.95449974, -0.15865525, 1.95449974, -0.15865525],
    );
  });

  it("rope: a quarter turn, by halves and interleaved", () => {
    const x = tensor([1, 1, 4], [1, 2, 3, 4]);
    const [cos, sin] = [tensor([1, 2], [0, 1]), tensor([1, 2], [1, 0])];
    expectClose(hw.rope(x, cos, sin), [-3, 2, 1, 4]);
    expectClose(hw.rope(x, cos, sin, { interleaved: true }), [-2, 1, 3, 4]);
    expect(() => hw.rope(tensor([1, 1, 3], [1, 2, 3]), cos, sin)).toThrow(
      expect.objectContaining({ code: "BAD_DATA" }),
    );
  });

  it("syrk: a symmetric Gram matrix in float64 whose error does not grow over 100,000 rows", () => {
    const rows = 100_000;
    const x = tensor(
      [rows, 2],
      Array.from({ length: rows * 2 }, (_, i) => (i % 2 ? 0.1 : 1)),
    );
    const g = hw.syrk(x);
    expect(g.type).toBe("float64");
    const tenth = Math.fround(0.1);
    const wanted = [rows, rows * tenth, rows * tenth, rows * tenth * tenth];
    for (const [i, value] of wanted.entries()) expect(Math.abs(g.data[i]! / value - 1)).toBeLessThan(256 * 2 ** -24);
    expect(hw.syrk(x, { alpha: 0.5, beta: 0.5, out: g }).data[1]).toBe(g.data[2]);
  });
});

import { describe, expect, it } from "vitest";
import { type ConvolutionOptions, createKernels, type Tensor } from "../index.ts";
import { randomFloats } from "../ops/seeded.ts";

type Floats = Tensor<"float32">;
const tensor = (dims: number[], data: ArrayLike<number>): Floats => ({
  type: "float32",
  dims,
  data: Float32Array.from(data),
});
const random = (dims: number[], seed: number) =>
  tensor(
    dims,
    randomFloats(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
  );
const inner = (a: Floats, b: Floats) => a.data.reduce((sum, value, i) => sum + value * b.data[i]!, 0);
const hw = await createKernels();

const cases: [string, number[], number[], ConvolutionOptions][] = [
  ["plain", [2, 3, 7, 6], [4, 3, 3, 3], {}],
  ["padded", [1, 3, 7, 6], [5, 3, 3, 3], { padding: 1 }],
  ["same padding, odd sizes and strides", [1, 2, 7, 9], [3, 2, 4, 2], { padding: "same", strides: [2, 3] }],
  ["strides that leave rows over", [1, 2, 8, 9], [3, 2, 3, 3], { padding: [1, 0, 0, 2], strides: [3, 2] }],
  ["dilated", [1, 2, 9, 9], [3, 2, 3, 2], { padding: 2, dilations: [2, 3] }],
  ["in groups", [2, 4, 5, 5], [6, 2, 3, 3], { groups: 2, padding: 1 }],
  ["depthwise", [2, 5, 6, 7], [5, 1, 3, 3], { groups: 5, padding: 1, strides: 2 }],
  ["depthwise with two filters a channel", [1, 3, 6, 7], [6, 1, 3, 3], { groups: 3 }],
];
/** The same case with channels last. */
const last = ([n, c, h, w]: number[]) => [n!, h!, w!, c!];
const lastWeight = ([o, i, h, w]: number[]) => [h!, w!, i!, o!];

describe("convolutions", () => {
  it("convolves by hand: NCHW, NHWC, bias and activation", () => {
    const image = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const edge = [1, 0, 0, -1];
    const y = hw.conv2d(tensor([1, 1, 3, 3], image), tensor([1, 1, 2, 2], edge));
    expect(y.dims).toEqual([1, 1, 2, 2]);
    expect([...y.data]).toEqual([-4, -4, -4, -4]);
    const two = hw.conv2d(
      tensor([1, 3, 3, 1], image),
      tensor(
        [2, 2, 1, 2],
        edge.flatMap((w) => [w, -w]),
      ),
      {
        layout: "NHWC",
        bias: tensor([2], [1, 1]),
        activation: "relu",
      },
    );
    expect(two.dims).toEqual([1, 2, 2, 2]);
    expect([...two.data]).toEqual([0, 5, 0, 5, 0, 5, 0, 5]);
  });

  it("pads as TensorFlow's SAME: ceil(size / stride) numbers, the odd zero at the end", () => {
    const y = hw.conv2d(tensor([1, 1, 1, 4], [1, 2, 3, 4]), tensor([1, 1, 1, 2], [1, 10]), { padding: "same" });
    expect([...y.data]).toEqual([21, 32, 43, 4]);
  });

  for (const layout of ["NCHW", "NHWC"] as const)
    it.each(cases)(
      `${layout} %s: <conv(x, w), dy> = <x, transposed(dy, w)> = <w, filter gradient(x, dy)> within 1e-4`,
      (_, xDims, wDims, options) => {
        const all = { ...options, layout };
        const nhwc = layout === "NHWC";
        const x = random(nhwc ? last(xDims) : xDims, 1);
        const w = random(nhwc ? lastWeight(wDims) : wDims, 2);
        const y = hw.conv2d(x, w, all);
        const dy = random([...y.dims], 3);
        const forward = inner(y, dy);
        const [height, width, kernelY, kernelX] = [...xDims.slice(2), ...wDims.slice(2)] as [
          number,
          number,
          number,
          number,
        ];
        const dx = hw.convTranspose2d(dy, w, { ...all, size: [height, width] });
        expect(dx.dims).toEqual(x.dims);
        expect(Math.abs(inner(x, dx) - forward)).toBeLessThan(1e-4);
        const dw = hw.conv2dFilterGradient(x, dy, [kernelY, kernelX], all);
        expect(dw.dims).toEqual(w.dims);
        expect(Math.abs(inner(w, dw) - forward)).toBeLessThan(1e-4);
      },
    );

  it.each([
    ["another number of channels", () => hw.conv2d(random([1, 3, 5, 5], 1), random([2, 4, 3, 3], 2))],
    ["a kernel larger than the image", () => hw.conv2d(random([1, 1, 2, 2], 1), random([1, 1, 3, 3], 2))],
    ["three dimensions", () => hw.conv2d(random([1, 2, 2], 1), random([1, 1, 1, 1], 2))],
    [
      "a gradient of another size",
      () => hw.conv2dFilterGradient(random([1, 1, 4, 4], 1), random([1, 1, 4, 4], 2), [2, 2]),
    ],
  ])("refuses %s with BAD_DATA", (_, run) => {
    expect(run).toThrow(expect.objectContaining({ name: "EspalierError", code: "BAD_DATA" }));
  });
});

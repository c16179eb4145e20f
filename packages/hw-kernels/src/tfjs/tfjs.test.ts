import "@tensorflow/tfjs-backend-cpu";
import * as wasm from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Registration, registerEspalierKernels } from "./index.ts";

let registration: Registration;

beforeAll(async () => {
  const folder = new URL("../../node_modules/@tensorflow/tfjs-backend-wasm/dist/", import.meta.url).pathname;
  wasm.setWasmPaths(folder);
  wasm.setThreadsCount(1);
  registration = await registerEspalierKernels(tf, { threads: 1 });
});
afterAll(() => registration.dispose());

let seed = 1;
const random = (...shape: number[]) => {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return (seed / 2 ** 31) * 2 - 1;
  });
  return { shape, values };
};
type Values = ReturnType<typeof random>;

/** What `compute` gives on a backend. */
const on = async (backend: string, inputs: readonly Values[], compute: (...x: tf.Tensor[]) => tf.Tensor[]) => {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const results = tf.tidy(() => compute(...inputs.map(({ values, shape }) => tf.tensor(values, shape))));
  const read = results.map((result) => ({ shape: result.shape, data: [...result.dataSync()] }));
  for (const result of results) result.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return read;
};

/** Our kernels in the wasm backend and the cpu backend agree within 1e-5 of the largest value. */
const agree = async (inputs: readonly Values[], compute: (...x: tf.Tensor[]) => tf.Tensor[]) => {
  const expected = await on("cpu", inputs, compute);
  const found = await on("wasm", inputs, compute);
  expected.forEach(({ shape, data }, i) => {
    expect(found[i]!.shape).toEqual(shape);
    const most = data.reduce((size, value) => Math.max(size, Math.abs(value)), 1);
    data.forEach((value, at) => {
      expect(Math.abs(found[i]!.data[at]! - value)).toBeLessThanOrEqual(1e-5 * most);
    });
  });
};

/** Plain loops over every combination of the letters. */
const plainEinsum = (equation: string, a: Values, b: Values): number[] => {
  const [left, output] = equation.split("->") as [string, string];
  const [first, second] = left.split(",") as [string, string];
  const sizes = new Map<string, number>();
  for (const [axis, label] of [...first].entries()) sizes.set(label, a.shape[axis]!);
  for (const [axis, label] of [...second].entries()) sizes.set(label, b.shape[axis]!);
  const labels = [...sizes.keys()];
  const total = (names: string) => [...names].reduce((count, label) => count * sizes.get(label)!, 1);
  const sums = new Array<number>(total(output)).fill(0);
  for (let index = 0; index < total(labels.join("")); index++) {
    const at = new Map<string, number>();
    let rest = index;
    for (const label of labels) {
      at.set(label, rest % sizes.get(label)!);
      rest = Math.floor(rest / sizes.get(label)!);
    }
    const place = (names: string) => [...names].reduce((sum, label) => sum * sizes.get(label)! + at.get(label)!, 0);
    sums[place(output)]! += a.values[place(first)]! * b.values[place(second)]!;
  }
  return sums;
};

const squares = (x: tf.Tensor) => tf.sum(tf.square(x)) as tf.Scalar;

const flags = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

describe("registerEspalierKernels", () => {
  it("says what it replaced and what it added", () => {
    expect(registration.replaced).toEqual(["BatchMatMul", "_FusedMatMul"]);
    expect(registration.added).toContain("Conv2DBackpropFilter");
    expect(registration.added).toContain("UnsortedSegmentSum");
  });

  it.each(flags)("multiplies matrices, transposed: %s, %s", async (ta, tb) => {
    for (const [m, k, n] of [
      [1, 1, 1],
      [5, 49, 7],
      [33, 64, 17],
      [64, 200, 96],
    ] as const)
      await agree([random(...(ta ? [k, m] : [m, k])), random(...(tb ? [n, k] : [k, n]))], (a, b) => [
        tf.matMul(a!, b!, ta, tb),
      ]);
  });

  it.each(flags)("multiplies batches, also where one is repeated, transposed: %s, %s", async (ta, tb) => {
    const [m, k, n] = [6, 11, 9];
    for (const [left, right] of [
      [[3], [3]],
      [[3], [1]],
      [[1], [4]],
      [
        [2, 3],
        [2, 3],
      ],
    ] as const)
      await agree([random(...left, ...(ta ? [k, m] : [m, k])), random(...right, ...(tb ? [n, k] : [k, n]))], (a, b) => [
        tf.matMul(a!, b!, ta, tb),
      ]);
  });

  it("repeats both operands of a batch, which the cpu backend does not", async () => {
    const [a, b] = [random(2, 1, 3, 4), random(1, 3, 4, 5)];
    const [found] = await on("wasm", [a, b], (x, y) => [tf.matMul(x!, y!)]);
    expect(found!.shape).toEqual([2, 3, 3, 5]);
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 3; j++) {
        const one = (values: Float32Array, at: number, dims: number[]) => {
          const size = dims[0]! * dims[1]!;
          return { shape: dims, values: values.slice(at * size, (at + 1) * size) };
        };
        const parts = [one(a.values, i, [3, 4]), one(b.values, j, [4, 5])];
        const [expected] = await on("cpu", parts, (x, y) => [tf.matMul(x!, y!)]);
        expected!.data.forEach((value, at) => {
          expect(found!.data[(i * 3 + j) * 15 + at]).toBeCloseTo(value, 5);
        });
      }
  });

  it("leaves an empty sum at zero", async () => {
    await agree([random(3, 0), random(0, 4)], (a, b) => [tf.matMul(a!, b!)]);
  });

  it.each(["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu"] as const)(
    "fuses bias and %s once, which the backend's own kernel does in every block of a transposed product",
    async (activation) => {
      for (const [ta, tb] of flags)
        for (const k of [10, 49, 200])
          await agree(
            [random(...(ta ? [k, 4] : [4, k])), random(...(tb ? [3, k] : [k, 3])), random(3), random(4, 3)],
            (a, b, bias, slopes) => [
              tf.fused.matMul({
                a: a as tf.Tensor2D,
                b: b as tf.Tensor2D,
                transposeA: ta,
                transposeB: tb,
                bias: bias!,
                activation,
                leakyreluAlpha: 0.3,
                ...(activation === "prelu" && { preluActivationWeights: slopes! }),
              }),
            ],
          );
    },
  );

  it.each([
    [[2, 9, 8, 5], [3, 3, 5, 6], [1, 1], "same"],
    [[2, 9, 8, 5], [3, 2, 5, 6], [2, 2], "same"],
    [[1, 10, 7, 3], [4, 3, 3, 4], [2, 3], "valid"],
    [[1, 7, 7, 2], [3, 3, 2, 5], [1, 1], 1],
    [[3, 1, 1, 4], [1, 1, 4, 2], [1, 1], "valid"],
  ] as const)(
    "gives the gradients of a convolution: x [%s], filter [%s], strides [%s], %s",
    async (x, w, strides, pad) => {
      await agree([random(...x), random(...w)], (a, b) => {
        const loss = (input: tf.Tensor, filter: tf.Tensor) =>
          squares(tf.conv2d(input as tf.Tensor4D, filter as tf.Tensor4D, strides as [number, number], pad));
        return tf.grads(loss)([a!, b!]);
      });
    },
  );

  it.each([
    [[2, 9, 8, 5], [3, 3, 5, 1], [1, 1], "same"],
    [[2, 9, 8, 4], [3, 3, 4, 2], [2, 2], "same"],
    [[1, 10, 7, 3], [5, 3, 3, 3], [1, 1], "valid"],
  ] as const)("gives those of a depthwise one: x [%s], filter [%s], strides [%s], %s", async (x, w, strides, pad) => {
    await agree([random(...x), random(...w)], (a, b) => {
      const loss = (input: tf.Tensor, filter: tf.Tensor) =>
        squares(tf.depthwiseConv2d(input as tf.Tensor4D, filter as tf.Tensor4D, strides as [number, number], pad));
      return tf.grads(loss)([a!, b!]);
    });
  });

  it("gives the gradient of gathered rows, some of them twice", async () => {
    await agree([random(7, 3)], (table) => {
      const rows = (x: tf.Tensor) => squares(tf.gather(x, tf.tensor1d([1, 4, 1, 6], "int32")));
      return [tf.grad(rows)(table!)];
    });
    await agree([random(5, 2, 3)], (x) => [tf.unsortedSegmentSum(x!, tf.tensor1d([2, 0, -1, 9, 2], "int32"), 4)]);
  });

  it.each([
    ["ij,jk->ik", [3, 4], [4, 5]],
    ["bij,bjk->bik", [2, 3, 4], [2, 4, 5]],
    ["bqhd,bkhd->bhqk", [2, 3, 2, 4], [2, 5, 2, 4]],
    ["i,j->ij", [3], [4]],
    ["ij,ij->", [3, 4], [3, 4]],
    ["ijk,kl->lj", [2, 3, 4], [4, 5]],
    ["ij,k->i", [2, 3], [4]],
  ] as const)("computes einsum %s, and its gradient as central differences have it", async (equation, a, b) => {
    const [x, y] = [random(...a), random(...b)];
    const value = (...parts: Values[]) => on("wasm", parts, (p, q) => [tf.einsum(equation, p!, q!)]);
    const [found] = await value(x, y);
    expect(found).toEqual({ shape: found!.shape, data: expect.any(Array) });
    const expected = plainEinsum(equation, x, y);
    expect(found!.data).toHaveLength(expected.length);
    expected.forEach((sum, i) => {
      expect(found!.data[i]).toBeCloseTo(sum, 5);
    });
    const gradients = await on("wasm", [x, y], (p, q) =>
      tf.grads((left, right) => squares(tf.einsum(equation, left!, right!)))([p!, q!]),
    );
    // the square of a sum that is linear in each value: differences of any size are exact
    const loss = (left: Values, right: Values) =>
      plainEinsum(equation, left, right).reduce((sum, result) => sum + result * result, 0);
    for (const [which, own] of [x, y].entries())
      own.values.forEach((_, i) => {
        const moved = (by: number) => {
          const values = own.values.map((old, at) => (at === i ? old + by : old));
          return which === 0 ? loss({ ...own, values }, y) : loss(x, { ...own, values });
        };
        expect(gradients[which]!.data[i]).toBeCloseTo(moved(0.5) - moved(-0.5), 3);
      });
  });

  it("permutes and sums one tensor", async () => {
    await agree([random(2, 3, 4)], (x) => [tf.einsum("ijk->kij", x!), tf.einsum("ijk->j", x!)]);
  });

  it.each(["ii->i", "ij->k", "ij,jk", "i...->i"])("refuses the equation %s", async (equation) => {
    await tf.setBackend("wasm");
    expect(() => tf.einsum(equation, tf.zeros([2, 2]))).toThrow();
  });

  it("takes it all back", async () => {
    await tf.setBackend("wasm");
    const again = tf.getKernel("BatchMatMul", "wasm");
    registration.dispose();
    expect(tf.getKernel("BatchMatMul", "wasm")).not.toBe(again);
    expect(tf.getKernel("Conv2DBackpropFilter", "wasm")).toBeUndefined();
    expect([...tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).dataSync()]).toEqual([2, 2, 2, 2]);
    registration = await registerEspalierKernels(tf, { threads: 1 });
  });

  it("refuses a TensorFlow.js without the backend", async () => {
    const none = { ...tf, getKernel: () => undefined };
    await expect(registerEspalierKernels(none)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

import { describe, expect, it } from "vitest";
import { createKernels, type Kernels, type Tensor } from "./index.ts";

const tensor = (dims: number[], data: number[]): Tensor<"float32"> => ({
  type: "float32",
  dims,
  data: Float32Array.from(data),
});
const W = tensor([2, 3], [1, 2, 3, 4, 5, 6]);
const x = tensor([3], [1, 0, -1]);

describe("createKernels", () => {
  it("multiplies a matrix by a vector, either way round, with bias and activation", async () => {
    const hw = await createKernels();
    expect([...hw.gemv(W, x).data]).toEqual([-2, -2]);
    const up = tensor([2], [1, 10]);
    expect([...hw.gemv(W, up, { transposed: true }).data]).toEqual([41, 52, 63]);
    expect([...hw.gemv(W, x, { bias: up, activation: "relu" }).data]).toEqual([0, 8]);
    const out = tensor([2], [3, 4]);
    expect(hw.gemv(W, x, { beta: 2, alpha: 0.5, out })).toBe(out);
    expect([...out.data]).toEqual([5, 7]);
  });

  it("multiplies matrices for every transpose, in batches, and by one matrix for a whole batch", async () => {
    const hw = await createKernels();
    const A = tensor([2, 3], [1, 2, 3, 4, 5, 6]);
    const B = tensor([3, 2], [1, 0, 0, 1, 1, 1]);
    const At = tensor([3, 2], [1, 4, 2, 5, 3, 6]);
    const Bt = tensor([2, 3], [1, 0, 1, 0, 1, 1]);
    const wanted = [4, 5, 10, 11];
    for (const transA of [false, true])
      for (const transB of [false, true])
        expect([...hw.gemm(transA ? At : A, transB ? Bt : B, { transA, transB }).data]).toEqual(wanted);
    const two = hw.gemm(tensor([2, 1, 2, 3], [...A.data, ...A.data]), tensor([2, 1, 3, 2], [...B.data, ...B.data]));
    expect(two.dims).toEqual([2, 1, 2, 2]);
    expect([...two.data]).toEqual([...wanted, ...wanted]);
    expect([...hw.gemm(tensor([2, 2, 3], [...A.data, ...A.data]), B).data]).toEqual([...wanted, ...wanted]);
    expect([...hw.gemm(tensor([1, 3], [1, 2, 3]), B).data]).toEqual([4, 5]);
  });

  it("keeps NaN and infinity where they belong, also through clamping and beside padding", async () => {
    const hw = await createKernels();
    const A = tensor([3, 3], [1, NaN, 1, 1, 1, 1, Infinity, 1, 1]);
    const ones = tensor([3, 5], Array(15).fill(1));
    const [top, middle, bottom] = [NaN, 3, 4].map((x) => Array(5).fill(x));
    expect([...hw.gemm(A, ones, { activation: { high: 4 } }).data]).toEqual([...top!, ...middle!, ...bottom!]);
    expect([...hw.gemm(ones, ones, { transB: true, out: tensor([3, 3], Array(9).fill(NaN)) }).data]).toEqual(
      Array(9).fill(5),
    );
  });

  it("works in its own memory without copying, and on after that memory grew", async () => {
    const hw = await createKernels({ threads: 1 });
    const weights = hw.tensor("float32", [2, 3], W.data);
    const before = weights.data;
    const large = hw.tensor("float32", [4 << 20]);
    expect(before.length).toBe(0);
    const y = hw.tensor("float32", [2]);
    hw.gemv(weights, x, { out: y });
    expect([...y.data]).toEqual([-2, -2]);
    expect(y.data.buffer).toBe(weights.data.buffer);
    for (const handle of [weights, large, y]) handle.dispose();
    expect(() => y.dispose()).toThrow(expect.objectContaining({ code: "BAD_DATA" }));
  });

  it.each(["reference", "simd"] as const)(
    "keeps its tensors right while a first use grows the memory (%s)",
    async (prefer) => {
      const hw = await createKernels({ prefer });
      const weights = hw.tensor("float32", [2, 3], W.data);
      const bias = hw.tensor("float32", [2], [1, 2]);
      const y = hw.tensor("float32", [2]);
      const rest = hw.tensor("uint8", [y.data.buffer.byteLength - 4 * 64]);
      hw.gemv(weights, x, { out: y, bias });
      expect([...y.data]).toEqual([-1, 0]);
      expect(y.data.buffer.byteLength).toBeGreaterThan(rest.dims[0]! + 4 * 64);
    },
  );

  it("tells what it runs on and why, in words and as data", async () => {
    const hw = await createKernels({ prefer: "simd" });
    expect(hw.choices()).toEqual([]);
    hw.gemv(W, x);
    expect(hw.choices()).toMatchObject([{ op: "gemv", level: "simd" }]);
    expect(hw.describe()).toContain("gemv: rows by 4 (");
    expect(hw.describe()).toContain("SIMD128");
    expect(JSON.parse(JSON.stringify(hw.choices()))).toEqual(hw.choices());
  });

  it("takes saved choices back on the same machine, and ignores those of another", async () => {
    const first = await createKernels();
    first.gemv(W, x);
    const saved = first.save();
    const why = async (choices: typeof saved) => {
      const next = await createKernels({ choices });
      next.gemv(W, x);
      return next.choices()[0]!.why;
    };
    expect(await why(saved)).toBe("as saved");
    expect(await why({ ...saved, key: "another" })).not.toBe("as saved");
  });

  it("computes with the reference when told to", async () => {
    const hw = await createKernels({ prefer: "reference" });
    expect([...hw.gemv(W, x).data]).toEqual([-2, -2]);
    expect(hw.choices()[0]!.variant).toBe("reference");
  });

  const refused: [string, string, (hw: Kernels) => unknown][] = [
    ["a vector as matrix", "BAD_DATA", (hw) => hw.gemv(x, x)],
    ["a vector of another length", "BAD_DATA", (hw) => hw.gemv(W, tensor([2], [1, 2]))],
    ["an output of another size", "BAD_DATA", (hw) => hw.gemv(W, x, { out: tensor([3], [0, 0, 0]) })],
    ["data shorter than dims say", "BAD_DATA", (hw) => hw.gemv({ ...W, dims: [4, 3] }, x)],
    ["matrices that do not fit", "BAD_DATA", (hw) => hw.gemm(W, W)],
    ["batches that differ", "BAD_DATA", (hw) => hw.gemm({ ...W, dims: [2, 1, 3] }, { ...W, dims: [3, 3, 1] })],
    ["integers", "BAD_DATA", (hw) => hw.gemv({ type: "int8", dims: [1, 1], data: new Int8Array(1) }, x)],
    ["data that is no typed array", "BAD_DATA", (hw) => hw.gemv({ ...W, data: [1, 2, 3, 4, 5, 6] as never }, x)],
    ["a factor that is no number", "BAD_OPTION", (hw) => hw.gemv(W, x, { alpha: "2" as never })],
    ["a tensor with other data than dims say", "BAD_DATA", (hw) => hw.tensor("float32", [2], [1])],
    ["a tensor of an unknown type", "BAD_OPTION", (hw) => hw.tensor("bfloat" as never, [2])],
  ];
  it.each(refused)("refuses %s with %s", async (_, code, run) => {
    const hw = await createKernels();
    expect(() => run(hw)).toThrow(expect.objectContaining({ name: "EspalierError", code }));
  });
});

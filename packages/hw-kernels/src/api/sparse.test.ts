import { describe, expect, it } from "vitest";
import { createKernels, type Tensor } from "../index.ts";
import { randomFloats, seeded } from "../ops/seeded.ts";

const tensor = (dims: number[], data: ArrayLike<number>): Tensor<"float32"> => ({
  type: "float32",
  dims,
  data: Float32Array.from(data),
});
/** Four of five numbers zero, or two of four. */
const weights = (rows: number, columns: number, keep: (at: number, random: number) => boolean) => {
  const random = seeded(3);
  const data = randomFloats(rows * columns, 4).map((value, at) => (keep(at, random()) ? value : 0));
  return tensor([rows, columns], data);
};
const unstructured = weights(24, 50, (_, random) => random < 0.2);
const twoOfFour = weights(24, 48, (at) => at % 4 === 1 || at % 4 === 2);

const hw = await createKernels({ threads: 1 });

describe("sparse matrices", () => {
  it("times a matrix and a vector are what the dense kernels give, within 1e-6, in blocks of 1, 2 and 4 rows", () => {
    for (const w of [unstructured, twoOfFour])
      for (const blockRows of [1, 2, 4] as const) {
        const sparse = hw.sparse(w, { blockRows });
        for (const n of [1, 5, 40]) {
          const x = tensor([w.dims[1]!, n], randomFloats(w.dims[1]! * n, n));
          const bias = tensor([24], randomFloats(24, 9));
          const wanted = hw.gemm(w, x).data.map((value, at) => value + bias.data[Math.floor(at / n)]!);
          const found = hw.spmm(sparse, x, { bias });
          expect(found.dims).toEqual([24, n]);
          for (const [at, value] of wanted.entries())
            expect(Math.abs(found.data[at]! - value)).toBeLessThanOrEqual(1e-6);
          const relu = hw.spmm(sparse, x, { bias, activation: "relu" }).data;
          expect(relu).toEqual(found.data.map((value) => Math.max(0, value)));
        }
        const v = tensor([w.dims[1]!], randomFloats(w.dims[1]!, 2));
        expect(hw.spmm(sparse, v).dims).toEqual([24]);
        sparse.dispose();
      }
  });

  it("hold the numbers that are not zero and no others", () => {
    const { starts, indices, values } = hw.sparse(tensor([2, 3], [0, 5, 0, 7, 0, 8]));
    expect([[...starts.data], [...indices.data], [...values.data]]).toEqual([
      [0, 1, 3],
      [1, 0, 2],
      [5, 7, 8],
    ]);
    const blocks = hw.sparse(tensor([2, 3], [0, 5, 0, 7, 0, 0]), { blockRows: 2 });
    expect([...blocks.values.data]).toEqual([0, 7, 5, 0]);
  });

  it("refuse rows that blocks do not divide and operands that do not fit", () => {
    expect(() => hw.sparse(tensor([3, 1], [1, 2, 3]), { blockRows: 2 })).toThrowError(
      expect.objectContaining({ code: "BAD_OPTION" }),
    );
    expect(() => hw.spmm(hw.sparse(unstructured), tensor([3, 1], [1, 2, 3]))).toThrowError(
      expect.objectContaining({ code: "BAD_DATA" }),
    );
  });
});

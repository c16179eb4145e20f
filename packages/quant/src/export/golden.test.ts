import { type Model, runPass, tensor } from "@espalier/core";
import { tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { nodeOf } from "../../test/runtimes.ts";
import { dequantizeRows } from "../grid/grid.ts";
import { unpackRows } from "../grid/pack.ts";
import { type RtnOptions, rtn } from "../method/rtn.ts";

/** x · W, with W[k, 0] = k - 15.5, and in column 1 32 numbers from -1 to 1 in equal steps. */
const product = (): Model => {
  const w = Float32Array.from({ length: 64 }, (_, i) => {
    const k = Math.floor(i / 2);
    return i % 2 === 0 ? k - 15.5 : -1 + (2 * k) / 31;
  });
  return tinyModel({
    inputs: { x: ["float32", [1, 32]] },
    outputs: ["y"],
    weights: { w: tensor("float32", [32, 2], w) },
    nodes: [nodeOf("MatMul", ["x", "w"], "y")],
    opset: 21,
  });
};

/** What `rtn` writes: codes, scales and zero points. */
const written = async (options: RtnOptions) => {
  const { weights } = (await runPass(product(), rtn({ ...options, blockSize: 16, float16Below: 0 }))).graph;
  return { codes: weights.get("w_q")!, scales: weights.get("w_s")!, zeros: weights.get("w_z") };
};

const nbits = (bits: 8 | 4 | 2, symmetric = true) => written({ form: "MatMulNBits", bits, symmetric });

/** The first row, column 0 of W: 2 blocks of 16. */
const firstRow = ({ data, dims }: { data?: unknown; dims: readonly number[] }) =>
  [...(data as Uint8Array)].slice(0, (data as Uint8Array).length / dims[0]!);

describe("what stands in the file for k - 15.5 in blocks of 16, as onnxruntime 1.30's quantizers write it", () => {
  it("MatMulNBits 4 bits, symmetric: the second scale is negative", async () => {
    const { codes, scales } = await nbits(4);
    expect(codes.dims).toEqual([2, 2, 8]);
    expect(firstRow(codes)).toEqual([16, 33, 50, 67, 84, 101, 118, 135, 120, 103, 86, 69, 52, 35, 18, 1]);
    expect(firstRow(scales)).toEqual([1.9375, -1.9375]);
  });

  it("MatMulNBits 4 bits, asymmetric: zero points packed low bits first", async () => {
    const { codes, scales, zeros } = await nbits(4, false);
    const block = [16, 50, 84, 118, 152, 186, 220, 254];
    expect(firstRow(codes)).toEqual([...block, ...block]);
    expect(firstRow(scales)).toEqual([Math.fround(15.5 / 15), Math.fround(15.5 / 15)]);
    expect(firstRow(zeros!)).toEqual([0x0f]);
  });

  it("MatMulNBits 2 bits, symmetric and asymmetric", async () => {
    const symmetric = await nbits(2);
    expect(firstRow(symmetric.codes)).toEqual([0, 85, 85, 170, 170, 85, 85, 0]);
    expect(firstRow(symmetric.scales)).toEqual([7.75, -7.75]);
    const affine = await nbits(2, false);
    expect(firstRow(affine.codes).slice(0, 4)).toEqual([64, 85, 170, 254]);
    expect(firstRow(affine.scales)[0]).toBe(Math.fround(5.1666665));
    expect(firstRow(affine.zeros!)).toEqual([0xa3]);
  });

  it("MatMulNBits 8 bits, symmetric and asymmetric", async () => {
    const symmetric = await nbits(8);
    expect(firstRow(symmetric.scales)[0]).toBe(0.12109375);
    expect(firstRow(symmetric.codes).slice(0, 16)).toEqual([
      0, 8, 17, 25, 33, 41, 50, 58, 66, 74, 83, 91, 99, 107, 116, 124,
    ]);
    expect(firstRow((await nbits(8, false)).zeros!)).toEqual([255, 0]);
  });

  it("DequantizeLinear int4, blocks along axis 0, two columns", async () => {
    const { codes, scales } = await written({ form: "DequantizeLinear", bits: 4 });
    expect([codes.type, ...codes.dims]).toEqual(["int4", 32, 2]);
    expect([...(codes.data as Uint8Array)].slice(0, 8)).toEqual([136, 153, 153, 170, 170, 187, 187, 204]);
    expect(scales.dims).toEqual([2, 2]);
    expect([...(scales.data as Float32Array)]).toEqual([1.9375, 0.125, -1.9375, -0.125]);
  });

  it("is read back by unpackRows and dequantizeRows, within half a step of every weight inside the grid", async () => {
    const { codes, scales } = await nbits(4);
    const back = dequantizeRows({
      bits: 4,
      rows: 2,
      columns: 32,
      blockSize: 16,
      blocks: 2,
      codes: unpackRows(codes.data as Uint8Array, 2, 32, 4),
      scales: scales.data as Float32Array,
      zeroPoints: undefined,
    });
    back.subarray(0, 32).forEach((value, k) => {
      expect(Math.abs(value - (k - 15.5))).toBeLessThanOrEqual(1.9375 / 2);
    });
  });
});

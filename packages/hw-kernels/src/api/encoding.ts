import { EspalierError } from "../errors.ts";
import { bytePlanes } from "../ops/byte-planes/op.ts";
import { fakeQuant } from "../ops/fake-quant/op.ts";
import { histogram } from "../ops/histogram/op.ts";
import { range } from "../ops/range/op.ts";
import { transpose } from "../ops/transpose/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { floatOutput, matrixOf, vectorOf } from "./operands.ts";

export interface EncodingKernels {
  /** The least and greatest number of each row of the last dimension, or of all with `together`; NaN where there is one. */
  range(x: Tensor, options?: { readonly together?: boolean }): { least: Float32Array; most: Float32Array };
  /**
   * Counts of numbers, or of their magnitudes, in equal bins from low to high; what lies outside counts in the first and
   * last one. `counts` [bins + 1], the last for NaN, are added to where given.
   */
  histogram(
    x: Tensor,
    options: {
      readonly bins: number;
      readonly low: number;
      readonly high: number;
      readonly absolute?: boolean;
      readonly counts?: Int32Array;
    },
  ): Int32Array;
  /**
   * (clamp(round(x / scale) + zero, lowest, highest) - zero) scale, with one scale, or one for each row of the first
   * dimension. Halves round to even.
   */
  fakeQuantize(
    x: Tensor,
    grid: {
      readonly scale: number | Float32Array;
      readonly zeroPoint?: number | Float32Array;
      readonly lowest: number;
      readonly highest: number;
    },
    options?: { readonly out?: Tensor<"float32"> },
  ): Tensor<"float32">;
  /** A transposed matrix [columns, rows]. */
  transpose(x: Tensor, options?: { readonly out?: Tensor<"float32"> }): Tensor<"float32">;
  /** Numbers of `size` bytes as planes: all first bytes, then all second ones, and so on. Compressors find more in them. */
  bytePlanes(bytes: Uint8Array, size: number): Uint8Array;
  /** Numbers from their planes. */
  fromBytePlanes(planes: Uint8Array, size: number): Uint8Array;
}

const bad = (where: string, what: string) => new EspalierError("BAD_OPTION", `hw-kernels/${where}`, what);

/** What surrounds quantization: ranges, histograms, rounding without packing, and layouts. */
export const encodingKernels = ({ run }: Runtime): EncodingKernels => {
  const planes = (where: string, x: Uint8Array, size: number, back: number) => {
    if (!Number.isInteger(size) || size < 1 || x.length % size !== 0)
      throw bad(where, `size is ${size} and there are ${x.length} bytes. Give a size that divides them.`);
    const y = new Uint8Array(x.length);
    run(bytePlanes, { x, y, count: x.length / size, size, back });
    return y;
  };
  return {
    range: (x, { together = false } = {}) => {
      const count = sizeOf(x.dims);
      const columns = together ? count : (x.dims.at(-1) ?? 1);
      const rows = together ? 1 : columns && count / columns;
      const [least, most] = [new Float32Array(rows), new Float32Array(rows)];
      run(range, { x: vectorOf("range", "x", x, count), least, most, rows, columns });
      return { least, most };
    },
    histogram: (x, { bins, low, high, absolute = false, counts = new Int32Array(bins + 1) }) => {
      if (!Number.isInteger(bins) || bins < 1 || !(high > low))
        throw bad("histogram", `${bins} bins from ${low} to ${high}. Give one bin or more, and high above low.`);
      const count = sizeOf(x.dims);
      const numbers = { count, bins, low, scale: bins / (high - low), absolute: Number(absolute) };
      run(histogram, { x: vectorOf("histogram", "x", x, count), counts, ...numbers });
      return counts;
    },
    fakeQuantize: (x, { scale, zeroPoint = 0, lowest, highest }, { out } = {}) => {
      const count = sizeOf(x.dims);
      const perRow = typeof scale !== "number" || typeof zeroPoint !== "number";
      const rows = perRow ? (x.dims[0] ?? 1) : 1;
      const ofRows = (name: string, given: number | Float32Array) => {
        if (typeof given === "number") return new Float32Array(rows).fill(given);
        if (given.length !== rows) throw bad("fakeQuantize", `${name} has ${given.length} numbers for ${rows} rows.`);
        return given;
      };
      const result = floatOutput("fakeQuantize", x.dims, out);
      run(fakeQuant, {
        ...{ x: vectorOf("fakeQuantize", "x", x, count), y: result.data, lowest, highest },
        ...{ scales: ofRows("scale", scale), zeros: ofRows("zeroPoint", zeroPoint) },
        ...{ rows, columns: rows && count / rows },
      });
      return result;
    },
    transpose: (x, { out } = {}) => {
      const { data, rows, columns } = matrixOf("transpose", "x", x);
      const result = floatOutput("transpose", [columns, rows], out);
      run(transpose, { x: data, y: result.data, rows, columns, strideX: columns, strideY: rows });
      return result;
    },
    bytePlanes: (bytes, size) => planes("bytePlanes", bytes, size, 0),
    fromBytePlanes: (bytes, size) => planes("fromBytePlanes", bytes, size, 1),
  };
};

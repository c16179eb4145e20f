import { EspalierError } from "../errors.ts";
import { activate } from "../ops/activate/op.ts";
import { GROUP, INT8_STEP, int8, packInt8 } from "../ops/int8/op.ts";
import { quantizeActivations } from "../ops/quantize-activations/op.ts";
import { requantize, rescale } from "../ops/rescale/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Handle, makeHandle, sizeOf, type Tensor } from "../tensor.ts";
import { activationKind, splitActivation } from "./activation.ts";
import { floatOutput, matrixOf, vectorOf } from "./operands.ts";
import type { PackedProductOptions } from "./packed-product-options.ts";
import { quantizationKernels } from "./quantization.ts";

/** Weights [rows, columns] of 8 bits, symmetric, one scale for each row, in the kernels' own layout and memory. */
export interface PackedInt8 {
  readonly kind: "int8";
  readonly rows: number;
  readonly columns: number;
  readonly weights: Handle<"int8">;
  /** Of each row of the weights, and zeros up to a multiple of 8. */
  readonly sums: Handle<"int32">;
  readonly scales: Handle<"float32">;
  dispose(): void;
}

/** Weights [rows, columns] that are quantized already; without scales the products are in units of one. */
export interface Int8Quantized {
  readonly rows: number;
  readonly columns: number;
  readonly weights: Int8Array;
  readonly scales?: Float32Array;
}

export interface IntegerOptions {
  /** Subtracted from each of x, in the type of x. */
  zeroPoint?: number;
  /** [rows], added to the sums. */
  bias?: Tensor<"int32">;
  out?: Tensor<"int32">;
}

export interface RequantizeOptions {
  /** One for each column, or one: scale of x times scale of the weights over scale of the result. */
  scales: Float32Array | number;
  zeroPoint?: number;
  type?: "int8" | "uint8";
}

const roundUp = (count: number, step: number) => Math.ceil(count / step) * step;
const SIGN = 128;
const refuse = (where: string, what: string): never => {
  throw new EspalierError("BAD_DATA", `hw-kernels/${where}`, what);
};

export const makeInt8 = ({ arena }: Runtime, source: Int8Quantized): PackedInt8 => {
  const { rows, columns, weights: w, scales: given } = source;
  if (w.length !== rows * columns || (given && given.length !== rows))
    refuse(
      "pack.int8",
      `there are ${w.length} weights and ${given?.length ?? "no"} scales for [${rows}, ${columns}]. Make them agree.`,
    );
  const padded = roundUp(rows, GROUP);
  const weights = makeHandle(arena, "int8", [padded * roundUp(columns, INT8_STEP)]);
  const sums = makeHandle(arena, "int32", [padded]);
  const scales = makeHandle(arena, "float32", [rows], given ?? new Float32Array(rows).fill(1));
  packInt8(w, rows, columns, weights.data);
  const { data } = sums;
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++) sum += w[i]!;
    data[row] = sum;
  }
  const dispose = () => {
    for (const handle of [weights, sums, scales]) handle.dispose();
  };
  return { kind: "int8", rows, columns, weights, sums, scales, dispose };
};

/** float32 weights rounded to nearest, one scale for each row. */
export const packInt8Floats = (runtime: Runtime, w: Tensor): PackedInt8 => {
  const { data, rows, columns } = matrixOf("pack.int8", "w", w);
  const quantized = quantizationKernels(runtime).quantizeBlocks(
    data,
    { rows, columns },
    { bits: 8, blockSize: columns, symmetric: true, range: "narrow", scaleType: "float32" },
  );
  if (!quantized) return refuse("pack.int8", `the weight is [${rows}, ${columns}]. Give one that is not empty.`);
  if (quantized.scales.some(Number.isNaN)) refuse("pack.int8", "a weight is not finite. Look for what made it so.");
  const weights = Int8Array.from(quantized.codes, (code) => code - SIGN);
  return makeInt8(runtime, { rows, columns, weights, scales: quantized.scales });
};

/** Runs `work` with the address of so many bytes, which are free again afterwards. */
const withSpace = <T>({ arena }: Runtime, bytes: number, work: (address: number) => T): T => {
  const address = arena.allocate(bytes);
  try {
    return work(address);
  } finally {
    arena.free(address);
  }
};

export const int8Kernels = (runtime: Runtime) => {
  const { arena, run } = runtime;
  const view = <T>(type: new (buffer: ArrayBufferLike, at: number, count: number) => T, at: number, count: number) =>
    new type(arena.memory.buffer, at, count);

  /** Sums of products, for activations that lie in the kernels' memory as the op wants them. */
  const integers = (w: PackedInt8, rows: number, a: Int8Array, y: Int32Array, zero: number, bias?: Tensor<"int32">) =>
    run(int8, {
      ...{ w: w.weights.data, sums: w.sums.data, bias: bias?.data ?? new Int32Array(), a, y },
      ...{ m: rows, n: w.rows, k: roundUp(w.columns, INT8_STEP), zero, stride: w.rows },
    });

  return {
    /** activation(scale of x, scale of w, X W' + bias), x quantized row by row as it comes. */
    multiply: (where: string, w: PackedInt8, x: Tensor, dims: readonly number[], o: PackedProductOptions) => {
      const rows = sizeOf(dims) / w.rows || 0;
      const k = roundUp(w.columns, INT8_STEP);
      const result = floatOutput(where, dims, o.out);
      const { range, after } = splitActivation(o.activation ?? "none");
      const at = { codes: 0, scales: rows * k, sums: rows * (k + 4), y: rows * (k + 8) };
      withSpace(runtime, at.y + rows * w.rows * 4, (space) => {
        run(quantizeActivations.i8, {
          x: vectorOf(where, "x", x, rows * w.columns),
          codes: view(Int8Array, space, rows * k),
          scales: view(Float32Array, space + at.scales, rows),
          sums: view(Int32Array, space + at.sums, rows),
          ...{ m: rows, k: w.columns, stride: w.columns, blockSize: k },
        });
        integers(w, rows, view(Int8Array, space, rows * k), view(Int32Array, space + at.y, rows * w.rows), 0);
        run(rescale, {
          x: view(Int32Array, space + at.y, rows * w.rows),
          rowScales: view(Float32Array, space + at.scales, rows),
          columnScales: w.scales.data,
          bias: o.bias ? vectorOf(where, "bias", o.bias, w.rows) : new Float32Array(),
          y: result.data,
          ...{ m: rows, n: w.rows, ...range },
        });
      });
      const kind = after && activationKind(after);
      if (kind !== undefined) run(activate, { x: result.data, y: result.data, count: result.data.length, kind });
      return result;
    },
    gemmInteger: (w: PackedInt8, x: Tensor, { zeroPoint = 0, bias, out }: IntegerOptions = {}): Tensor<"int32"> => {
      const where = "gemmInteger";
      const columns = x.dims.at(-1);
      if (columns !== w.columns || (x.type !== "int8" && x.type !== "uint8"))
        refuse(where, `x is ${x.type} [${x.dims}]. Give int8 or uint8 rows of ${w.columns}.`);
      const isUnsigned = x.type === "uint8";
      if (!Number.isInteger(zeroPoint) || zeroPoint !== (isUnsigned ? zeroPoint & 255 : (zeroPoint << 24) >> 24))
        refuse(where, `zeroPoint is ${zeroPoint}, which no ${x.type} is.`);
      const dims = [...x.dims.slice(0, -1), w.rows];
      const rows = sizeOf(x.dims) / w.columns || 0;
      if (out && (out.type !== "int32" || sizeOf(out.dims) !== sizeOf(dims)))
        refuse(where, `out is ${out.type} [${out.dims}]. Give an int32 [${dims}].`);
      const result = out ?? { type: "int32", dims, data: new Int32Array(sizeOf(dims)) };
      const zero = isUnsigned ? zeroPoint - SIGN : zeroPoint;
      const k = roundUp(w.columns, INT8_STEP);
      if (!isUnsigned && k === w.columns) {
        integers(w, rows, x.data as Int8Array, result.data, zero, bias);
        return result;
      }
      withSpace(runtime, rows * k, (space) => {
        const a = view(Uint8Array, space, rows * k);
        const source = new Uint8Array(x.data.buffer, x.data.byteOffset, rows * w.columns);
        if (k === w.columns) a.set(source);
        else
          for (let row = 0; row < rows; row++) {
            a.set(source.subarray(row * w.columns, (row + 1) * w.columns), row * k);
            a.fill(0, row * k + w.columns, (row + 1) * k);
          }
        // a - 128, whole words at a time
        const words = view(Uint32Array, space, (rows * k) / 4);
        if (isUnsigned) for (let i = 0; i < words.length; i++) words[i]! ^= 0x80808080;
        integers(w, rows, view(Int8Array, space, rows * k), result.data, zero, bias);
      });
      return result;
    },
    requantize: (
      x: Tensor<"int32">,
      { scales, zeroPoint = 0, type = "int8" }: RequantizeOptions,
    ): Tensor<"int8" | "uint8"> => {
      const n = x.dims.at(-1) ?? 1;
      const m = sizeOf(x.dims) / n || 0;
      const [low, high] = type === "int8" ? [-SIGN, SIGN - 1] : [0, 2 * SIGN - 1];
      if (!Number.isInteger(zeroPoint) || zeroPoint < low || zeroPoint > high)
        refuse("requantize", `zeroPoint is ${zeroPoint}, which no ${type} is.`);
      const each = typeof scales === "number" ? new Float32Array(n).fill(scales) : scales;
      const y = new Uint8Array(m * n);
      run(requantize, { x: x.data, scales: each, y, m, n, zero: zeroPoint, low, high });
      if (type === "uint8") return { type, dims: x.dims, data: y };
      return { type: "int8", dims: x.dims, data: new Int8Array(y.buffer) };
    },
  };
};

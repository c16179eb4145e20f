import { EspalierError } from "../errors.ts";
import { activate } from "../ops/activate/op.ts";
import { type ActivationType, mostInBlock, packedOps } from "../ops/packed/op.ts";
import { quantizeActivations } from "../ops/quantize-activations/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { activationKind, splitActivation } from "./activation.ts";
import { type IntegerOptions, int8Kernels, type PackedInt8, type RequantizeOptions } from "./int8.ts";
import { floatOutput, vectorOf } from "./operands.ts";
import { type PackedBlocks, type Packing, packing } from "./pack.ts";
import type { PackedProductOptions } from "./packed-product-options.ts";

export type Packed = PackedBlocks | PackedInt8;

export interface PackedKernels {
  /** Weights in the layout that the products want them in. */
  readonly pack: Packing;
  /** activation(W x + bias) [rows], for packed weights and x [columns]. */
  gemv(w: Packed, x: Tensor, options?: PackedProductOptions): Tensor<"float32">;
  /** activation(X W' + bias) [..., rows], for packed weights and X [..., columns]. */
  gemm(w: Packed, x: Tensor, options?: PackedProductOptions): Tensor<"float32">;
  /** X W' + bias [..., rows] in whole numbers, for weights of 8 bits and X [..., columns] of int8 or uint8. */
  gemmInteger(w: PackedInt8, x: Tensor, options?: IntegerOptions): Tensor<"int32">;
  /** Sums of products as 8-bit integers: clamp(round(x * scale) + zeroPoint), halves to even. */
  requantize(x: Tensor<"int32">, options: RequantizeOptions): Tensor<"int8" | "uint8">;
}

const TYPES = { int8: "i8", int16: "i16" } as const;
const SIZES = { i8: 1, i16: 2 } as const;
const WORD = 4;
const arrays = { i8: Int8Array, i16: Int16Array } as const;

const ops = new Map(packedOps.map(({ kind, bits, type, op }) => [`int${bits} ${kind} ${type}`, op]));

const BITS = { int4: 4, int3: 3, int2: 2 } as const;
const typeOf = (w: PackedBlocks, activations: "int8" | "int16"): ActivationType => {
  const type = TYPES[activations];
  if (type && w.blockSize <= mostInBlock(BITS[w.kind], type)) return type;
  throw new EspalierError(
    "BAD_OPTION",
    "hw-kernels/gemm",
    type
      ? `blocks of ${w.blockSize} are too long for activations of 16 bits. Use int8, or shorter blocks.`
      : `activations is "${activations}". Use int8 or int16.`,
  );
};

/** Whether an operand is packed weights. */
export const isPacked = (operand: object): boolean => "kind" in operand;

export const packedKernels = (runtime: Runtime): PackedKernels => {
  const { arena, run } = runtime;
  const bytes = int8Kernels(runtime);
  const multiply = (where: "gemv" | "gemm", w: Packed, x: Tensor, dims: number[], o: PackedProductOptions) => {
    const columns = x.dims.at(-1) ?? 1;
    if (columns !== w.columns)
      throw new EspalierError(
        "BAD_DATA",
        `hw-kernels/${where}`,
        `x has rows of ${columns} and the weights have ${w.columns} columns. Make them agree.`,
      );
    if (w.kind === "int8") return bytes.multiply(where, w, x, dims, o);
    const rows = sizeOf(dims) / w.rows || 0;
    const type = typeOf(w, o.activations ?? "int8");
    const result = floatOutput(where, dims, o.out);
    const { range, after } = splitActivation(o.activation ?? "none");
    const { blockSize } = w;
    const blocks = Math.ceil(columns / blockSize);
    const [k, count] = [blocks * blockSize, rows * blocks];
    const scalesAt = count * blockSize * SIZES[type];
    // Views are taken after everything that may grow the memory.
    const space = arena.allocate(scalesAt + count * 2 * WORD);
    const room = () => ({
      // the op of this type takes arrays of this type
      codes: new arrays[type](arena.memory.buffer, space, count * blockSize) as Int8Array & Int16Array,
      scales: new Float32Array(arena.memory.buffer, space + scalesAt, count),
      sums: new Int32Array(arena.memory.buffer, space + scalesAt + count * WORD, count),
    });
    try {
      const data = vectorOf(where, "x", x, rows * columns);
      run(quantizeActivations[type], { x: data, ...room(), m: rows, k: columns, stride: columns, blockSize });
      const { codes: a, scales: aScales, sums: aSums } = room();
      const op = ops.get(`${w.kind} ${rows === 1 ? "gemv" : "gemm"} ${type}`)!;
      const [codes, scales, zeros] = [w.codes.data, w.scales.data, w.zeroPoints?.data ?? new Uint8Array()];
      const bias = o.bias ? vectorOf(where, "bias", o.bias, w.rows) : new Float32Array();
      run(op, {
        ...{ codes, scales, zeros, a, aScales, aSums, bias, y: result.data },
        ...{ m: rows, n: w.rows, k, blockSize, zero: 2 ** (BITS[w.kind] - 1), stride: w.rows },
        ...range,
      });
    } finally {
      arena.free(space);
    }
    const kind = after && activationKind(after);
    if (kind !== undefined) run(activate, { x: result.data, y: result.data, count: result.data.length, kind });
    return result;
  };
  return {
    pack: packing(runtime),
    gemv: (w, x, options = {}) => {
      if (x.dims.length === 1 || sizeOf(x.dims) === x.dims.at(-1)) return multiply("gemv", w, x, [w.rows], options);
      throw new EspalierError("BAD_DATA", "hw-kernels/gemv", `x has dims [${x.dims}]. Give a vector, or use gemm.`);
    },
    gemmInteger: bytes.gemmInteger,
    requantize: bytes.requantize,
    gemm: (w, x, options = {}) => multiply("gemm", w, x, [...x.dims.slice(0, -1), w.rows], options),
  };
};

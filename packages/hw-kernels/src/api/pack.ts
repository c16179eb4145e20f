import { EspalierError } from "../errors.ts";
import { type CodeFormat, codeBytes, formats, GROUP, packCodes } from "../ops/packed/formats.ts";
import { blockStep, mostInBlock } from "../ops/packed/op.ts";
import { repack, unpackFields } from "../ops/packed/repack.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Handle, makeHandle, type Tensor } from "../tensor.ts";
import { type Int8Quantized, makeInt8, type PackedInt8, packInt8Floats } from "./int8.ts";
import { matrixOf } from "./operands.ts";
import { quantizationKernels } from "./quantization.ts";

/** Weights [rows, columns] in blocks along the columns, as ONNX's MatMulNBits has them. */
export interface BlockQuantized {
  readonly rows: number;
  readonly columns: number;
  readonly blockSize: number;
  /** [rows, blocks, blockSize bits / 8], low bits first; blocks = ceil(columns / blockSize). */
  readonly codes: Uint8Array;
  /** [rows, blocks] */
  readonly scales: Float32Array;
  /** [rows, ceil(blocks bits / 8)], low bits first. Without them: the middle of the grid, 2^(bits - 1). */
  readonly zeroPoints?: Uint8Array;
}

export interface BlockPackOptions {
  /** A multiple of 16, for 3 bits of 32. Larger than a row: one block for each row. */
  readonly blockSize?: number;
  /** Zero points fixed to the middle of the grid. */
  readonly symmetric?: boolean;
}

type Bits = keyof typeof formats;

/** Weights [rows, columns] in the kernels' own layout and memory. Give them back by `dispose`. */
export interface PackedBlocks {
  readonly kind: `int${Bits}`;
  readonly rows: number;
  readonly columns: number;
  readonly blockSize: number;
  readonly codes: Handle<"uint8">;
  readonly scales: Handle<"float32">;
  readonly zeroPoints?: Handle<"uint8">;
  dispose(): void;
}

const DEFAULT_BLOCK = 32;
const roundUp = (count: number, step: number) => Math.ceil(count / step) * step;

const refuse = (where: string, what: string) => {
  throw new EspalierError("BAD_DATA", `hw-kernels/${where}`, what);
};

const checkBlockSize = (where: string, bits: Bits, blockSize: number) => {
  const step = blockStep(formats[bits]);
  const most = mostInBlock(bits, "i8");
  if (Number.isInteger(blockSize) && blockSize > 0 && blockSize % step === 0 && blockSize <= most) return;
  throw new EspalierError(
    "BAD_OPTION",
    `hw-kernels/${where}`,
    `blockSize is ${blockSize}. Give a multiple of ${step} up to ${most}.`,
  );
};

/** Numbers [rows, blocks] as kernels read them: [rows / 8, blocks, 8]. */
const interleave = (target: { [i: number]: number }, values: ArrayLike<number>, rows: number, blocks: number) => {
  for (let row = 0; row < rows; row++) {
    const start = Math.floor(row / GROUP) * blocks * GROUP + (row % GROUP);
    for (let b = 0; b < blocks; b++) target[start + b * GROUP] = values[row * blocks + b]!;
  }
};

interface Parts {
  readonly rows: number;
  readonly columns: number;
  readonly blockSize: number;
  readonly scales: ArrayLike<number>;
  readonly zeros?: ArrayLike<number>;
  readonly write: (target: Uint8Array) => void;
}

const makePacked = ({ arena }: Runtime, bits: Bits, { write, ...parts }: Parts): PackedBlocks => {
  const { rows, columns, blockSize } = parts;
  const blocks = Math.ceil(columns / blockSize);
  const padded = roundUp(rows, GROUP) * blocks;
  const codes = makeHandle(arena, "uint8", [codeBytes(formats[bits], rows, blocks * blockSize)]);
  const scales = makeHandle(arena, "float32", [padded]);
  const zeroPoints = parts.zeros && makeHandle(arena, "uint8", [padded]);
  write(codes.data);
  interleave(scales.data, parts.scales, rows, blocks);
  if (zeroPoints) interleave(zeroPoints.data, parts.zeros!, rows, blocks);
  return {
    ...{ kind: `int${bits}`, rows, columns, blockSize, codes, scales },
    ...(zeroPoints ? { zeroPoints } : {}),
    dispose: () => {
      for (const handle of [codes, scales, zeroPoints]) handle?.dispose();
    },
  };
};

const packQuantized = (runtime: Runtime, bits: Bits, source: BlockQuantized): PackedBlocks => {
  const where = `pack.int${bits}`;
  const { rows, columns, blockSize, codes, scales, zeroPoints } = source;
  checkBlockSize(where, bits, blockSize);
  const blocks = Math.ceil(columns / blockSize);
  const wanted = { codes: (rows * blocks * blockSize * bits) / 8, scales: rows * blocks };
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  if (codes.length !== wanted.codes || scales.length !== wanted.scales)
    refuse(
      where,
      `there are ${codes.length} bytes of codes and ${scales.length} scales, and [${rows}, ${columns}] in blocks of ${blockSize} has ${wanted.codes} and ${wanted.scales}. Make them agree.`,
    );
  if (zeroPoints && zeroPoints.length !== rows * zeroBytes)
    refuse(where, `there are ${zeroPoints.length} bytes of zero points, and ${rows * zeroBytes} fit. Make them agree.`);
  const zeros =
    zeroPoints &&
    Array.from({ length: rows }, (_, row) => [
      ...unpackFields(zeroPoints.subarray(row * zeroBytes, (row + 1) * zeroBytes), bits, blocks),
    ]).flat();
  const write = (target: Uint8Array) => repack(formats[bits], { codes, rows, blocks, blockSize }, target);
  return makePacked(runtime, bits, { rows, columns, blockSize, scales, zeros, write });
};

/** Writes codes [rows, columns], a byte each, group by group, blocks filled up with zeros. */
const writeBytes = (format: CodeFormat, codes: Uint8Array, rows: number, columns: number, k: number) => {
  return (target: Uint8Array) => {
    const bytes = codeBytes(format, GROUP, k);
    for (let first = 0; first < rows; first += GROUP) {
      const count = Math.min(GROUP, rows - first);
      const padded = new Uint8Array(count * k);
      for (let i = 0; i < count; i++)
        padded.set(codes.subarray((first + i) * columns, (first + i + 1) * columns), i * k);
      target.set(packCodes(format, padded, count, k), (first / GROUP) * bytes);
    }
  };
};

const packFloats = (
  runtime: Runtime,
  bits: Bits,
  w: Tensor,
  { blockSize: asked = DEFAULT_BLOCK, symmetric = true }: BlockPackOptions,
): PackedBlocks => {
  const where = `pack.int${bits}`;
  const format = formats[bits];
  const { data, rows, columns } = matrixOf(where, "w", w);
  const blockSize = Math.min(asked, roundUp(columns, blockStep(format)));
  checkBlockSize(where, bits, blockSize);
  const quantized = quantizationKernels(runtime).quantizeBlocks(
    data,
    { rows, columns },
    { bits, blockSize, symmetric, range: "full", scaleType: "float32" },
  );
  if (!quantized) return refuse(where, `the weight is [${rows}, ${columns}]. Give one that is not empty.`);
  if (quantized.scales.some(Number.isNaN)) refuse(where, "a weight is not finite. Look for what made it so.");
  const codes = quantized.packed ? unpackFields(quantized.codes, bits, rows * columns) : quantized.codes;
  const k = roundUp(columns, blockSize);
  const write = writeBytes(format, codes, rows, columns, k);
  return makePacked(runtime, bits, {
    ...{ rows, columns, blockSize, scales: quantized.scales, zeros: quantized.zeroPoints, write },
  });
};

type PackBlocks = (w: Tensor | BlockQuantized, options?: BlockPackOptions) => PackedBlocks;

export interface Packing {
  /**
   * Weights [rows, columns] of 4 bits in blocks along the columns: float32 ones, quantized by rounding to nearest, or
   * those of a MatMulNBits as they are.
   */
  readonly int4: PackBlocks;
  /** The same with 3 bits. */
  readonly int3: PackBlocks;
  /** The same with 2 bits. */
  readonly int2: PackBlocks;
  /** Weights [rows, columns] of 8 bits, one scale for each row: float32 ones, rounded to nearest, or those that are. */
  readonly int8: (w: Tensor | Int8Quantized) => PackedInt8;
}

export const packing = (runtime: Runtime): Packing => {
  const pack =
    (bits: Bits): PackBlocks =>
    (w, options = {}) =>
      "codes" in w ? packQuantized(runtime, bits, w) : packFloats(runtime, bits, w, options);
  return {
    int4: pack(4),
    int3: pack(3),
    int2: pack(2),
    int8: (w) => ("weights" in w ? makeInt8(runtime, w) : packInt8Floats(runtime, w)),
  };
};

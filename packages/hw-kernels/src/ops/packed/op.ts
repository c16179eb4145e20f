import type { Addresses, Op, Values } from "../../op.ts";
import { cut } from "../cut.ts";
import { seeded } from "../seeded.ts";
import { type CodeFormat, codeBytes, formats, GROUP, packCodes, unitBytes } from "./formats.ts";

const args = <T extends "i8" | "i16">(type: T) =>
  ({
    codes: "u8[]",
    scales: "f32[]",
    zeros: "u8[]",
    a: `${type}[]`,
    aScales: "f32[]",
    aSums: "i32[]",
    bias: "f32[]",
    y: "f32[] inout",
    m: "i32",
    n: "i32",
    k: "i32",
    blockSize: "i32",
    zero: "i32",
    stride: "i32",
    low: "f32",
    high: "f32",
  }) as const;
export const packedArgs = { i8: args("i8"), i16: args("i16") } as const;
export type ActivationType = keyof typeof packedArgs;
export type PackedArgs = (typeof packedArgs)[ActivationType];

const FLOAT = 4;
/** Sums of 8-bit activations are turned into float32 by arithmetic on its bits: see `MAGIC`. */
const SUM_LIMIT = { i8: 2 ** 22, i16: 2 ** 31 } as const;
/** The largest magnitude of an activation. */
const LARGEST = { i8: 128, i16: 32768 } as const;

const BLOCK_STEP = 32;
/** The most k in a block, so that no sum is too large. */
export const mostInBlock = (bits: number, type: ActivationType): number =>
  Math.ceil(SUM_LIMIT[type] / (LARGEST[type] * (2 ** bits - 1)) / BLOCK_STEP - 1) * BLOCK_STEP;

/** What block sizes are multiples of. */
export const blockStep = ({ span }: CodeFormat): number => Math.max(span, 16);

interface Sizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly blockSize: number;
  readonly stride: number;
}
const groupsOf = (n: number) => Math.ceil(n / GROUP);
const lengthsIn = (format: CodeFormat) => (v: Sizes & { zeros: ArrayLike<number>; bias: ArrayLike<number> }) => {
  const blocks = v.k / v.blockSize;
  const scales = groupsOf(v.n) * blocks * GROUP;
  return {
    codes: codeBytes(format, v.n, v.k),
    scales,
    zeros: v.zeros.length && scales,
    a: v.m * v.k,
    aScales: v.m * blocks,
    aSums: v.m * blocks,
    bias: v.bias.length && v.n,
    y: v.m && v.n ? (v.m - 1) * v.stride + v.n : 0,
  };
};

const call = (
  format: CodeFormat,
  type: ActivationType,
  sizes: Omit<Sizes, "stride">,
  seed: number,
  {
    zeros = false,
    bias = false,
    extreme = false,
    plain = false,
    gap = 0,
    low = -Infinity,
    high = Infinity,
    zero = -1,
  } = {},
): Values<PackedArgs> => {
  const random = seeded(seed);
  const { m, n, k, blockSize } = sizes;
  const most = 2 ** format.bits - 1;
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  const [lowest, highest] = [-LARGEST[type], LARGEST[type] - 1];
  const blocks = k / blockSize;
  const codes = Uint8Array.from({ length: n * k }, () => (extreme ? most : whole(0, most)));
  const activation = () => (extreme ? (random() < 0.5 ? lowest : highest) : whole(lowest, highest));
  const a =
    type === "i8"
      ? Int8Array.from({ length: m * k }, extreme && seed % 2 ? () => lowest : activation)
      : Int16Array.from({ length: m * k }, extreme && seed % 2 ? () => lowest : activation);
  const groups = groupsOf(n) * GROUP;
  const scale = () => [random() - 0.5, 0, -0, 1, 2 ** -140, 2 ** 60][plain || random() < 0.8 ? 0 : whole(1, 5)]!;
  const stride = n + gap;
  return {
    codes: packCodes(format, codes, n, k),
    scales: Float32Array.from({ length: groups * blocks }, scale),
    zeros: Uint8Array.from({ length: zeros ? groups * blocks : 0 }, () => (extreme ? most : whole(0, most))),
    a,
    aScales: Float32Array.from({ length: m * blocks }, () => random() / 100),
    aSums: Int32Array.from({ length: m * blocks }, (_, i) =>
      Array.from(a.subarray(i * blockSize, (i + 1) * blockSize)).reduce((sum, x) => sum + x, 0),
    ),
    bias: Float32Array.from({ length: bias ? n : 0 }, () => random() - 0.5),
    y: Float32Array.from({ length: m ? (m - 1) * stride + n : 0 }, () => random()),
    ...{ ...sizes, zero: zero < 0 ? 2 ** (format.bits - 1) : zero, stride, low, high },
  } as Values<PackedArgs>;
};

function* cases(format: CodeFormat, type: ActivationType, rows: readonly number[], scope: "load" | "all") {
  let seed = 1;
  const step = blockStep(format);
  const sizes = scope === "load" ? [8, 21] : [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33];
  const blockSizes = scope === "load" ? [32] : [step, 32, 96, 128];
  for (const m of rows)
    for (const n of sizes)
      for (const blockSize of blockSizes) {
        const k = blockSize * (1 + (seed % 3));
        seed++;
        yield call(format, type, { m, n, k, blockSize }, seed, { zeros: seed % 2 === 0, bias: seed % 3 === 0 });
        if (scope === "load") continue;
        yield call(format, type, { m, n, k, blockSize }, seed, { extreme: true, zeros: seed % 2 === 1, gap: 3 });
        yield call(format, type, { m, n, k, blockSize }, seed, { zero: seed % 2 ** format.bits, low: -1, high: 0.5 });
      }
  const [m] = rows;
  yield call(format, type, { m: m!, n: 9, k: 64, blockSize: 64 }, seed, { extreme: true, bias: true, gap: 1 });
  if (scope === "load") return;
  const long = Math.min(mostInBlock(format.bits, type), 2080);
  const blockSize = Math.floor(long / step) * step;
  for (const zeros of [false, true])
    yield call(format, type, { m: m!, n: 5, k: blockSize, blockSize }, seed++, { extreme: true, zeros });
  yield call(format, type, { m: m!, n: 8, k: 32 * 70, blockSize: 32 }, seed, { zeros: true });
}

/** How many multiplications one thread makes in a nanosecond. */
const TERMS_PER_NANOSECOND = { gemv: 20, gemm: 40 } as const;

const GEMM_ROWS = { load: [1, 7], all: [1, 2, 3, 4, 5, 6, 7, 9, 13] } as const;
const GEMV_ROWS = { load: [1], all: [1, 2] } as const;

/** About how many k of a group are unpacked before rows of A meet them. */
export const DEPTH = 1024;
const WORD = 2;
const CACHE_LINE = 64;

/** For each row and block a scale and a correction, activations as words, codes of a group as words, and sums. */
const scratchBytes = (v: { m: number; k: number; blockSize: number }) => {
  const blocks = v.k / v.blockSize;
  const depth = Math.max(Math.min(v.k, DEPTH), v.blockSize);
  const sizes = [v.m * blocks * 2 * FLOAT, v.m * v.k * WORD, depth * GROUP * WORD, v.m * GROUP * FLOAT];
  return sizes.reduce((sum, size) => sum + size + CACHE_LINE, 2 * CACHE_LINE);
};

const makeOp = (kind: "gemv" | "gemm", bits: keyof typeof formats, type: ActivationType): Op<PackedArgs> => {
  const format = formats[bits];
  const rows = kind === "gemv" ? GEMV_ROWS : GEMM_ROWS;
  const lengths = lengthsIn(format);
  return {
    name: `int${bits}-${kind}-${type}`,
    args: packedArgs[type],
    lengths,
    tolerance: "exact",
    cases: (scope) => cases(format, type, rows[scope], scope),
    sample: () =>
      kind === "gemv"
        ? call(format, type, { m: 1, n: 1024, k: 2048, blockSize: 32 }, 1, { plain: true })
        : call(format, type, { m: 24, n: 256, k: 1024, blockSize: 32 }, 1, { plain: true }),
    scratch: (v: Addresses<PackedArgs>) => scratchBytes(v),
    work: ({ m, n, k }) => (m * n * k) / TERMS_PER_NANOSECOND[kind],
    split: (v, parts) => {
      const blocks = v.k / v.blockSize;
      const groupBytes = (v.k / format.span) * unitBytes(format);
      return cut(v.n, parts, GROUP).map(([start, n]) => {
        const group = start / GROUP;
        return {
          ...v,
          n,
          codes: v.codes + group * groupBytes,
          scales: v.scales + start * blocks * FLOAT,
          zeros: v.zeros && v.zeros + start * blocks,
          bias: v.bias && v.bias + start * FLOAT,
          y: v.y + start * FLOAT,
        };
      });
    },
  };
};

/**
 * Products with weights of 4, 3 or 2 bits, quantized by blocks along k, and activations of 8 or 16 bits:
 *
 *     y[i, j] = clamp(bias[j] + sum over blocks b of dot(i, j, b) * (scales[j, b] * aScales[i, b]), low, high)
 *     dot(i, j, b) = sum over the block of a[i, k] * (codes[j, k] - zeros[j, b])      a whole number
 *
 * each operation rounded to float32, blocks in order: the same bits from every kernel. `zero` stands for zeros that are
 * not there; aSums are the blocks' sums of a.
 *
 * codes as in `formats.ts`; scales and zeros [n / 8, blocks, 8], n rounded up; a [m, k]; aScales and aSums [m, blocks];
 * bias [n] or empty; y [m, n], rows `stride` apart. k is a multiple of blockSize, that of 16 (3 bits: 32), and no block
 * is longer than `mostInBlock`.
 */
export const packedOps = (["gemv", "gemm"] as const).flatMap((kind) =>
  ([4, 3, 2] as const).flatMap((bits) =>
    (["i8", "i16"] as const).map((type) => ({ kind, bits, type, op: makeOp(kind, bits, type) })),
  ),
);

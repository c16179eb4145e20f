import { type Body, type Expr, i8x16, i16x8, type Local, v128 } from "../../asm/index.ts";

type Vector = Local<"v128">;

/** Codes of four rows and two k as whole numbers of 16 bits, times `scale`: those of `pair` (see `CodeFormat`). */
interface Plane {
  readonly pair: number;
  readonly scale: number;
  readonly value: (f: Body, v: readonly Vector[]) => Expr<"v128">;
}

/**
 * How codes of a few bits lie: groups of 8 rows, in them units of `span` k, in a unit 4 rows and then 4 rows, for each
 * four `vectors` vectors, whose 32-bit lanes are the rows. Quad t of a unit are the k 4t..4t+3; byte j of a lane has
 *
 *     4 bits   t = 0, 1     code of k = 4t + j at bit 4t
 *     2 bits   t = 0..3     code of k = 4t + j at bit 2t
 *     3 bits   t = 0..7     bits 0 and 1 of k = 4t + j at bit 2 (t % 4) of vector t / 4, bit 2 at bit t of vector 2
 *
 * In words of 16 bits each quad is two pairs: 2t has the k 4t, 4t+2, and 2t+1 has 4t+1, 4t+3.
 */
export interface CodeFormat {
  readonly bits: 2 | 3 | 4;
  readonly span: number;
  readonly vectors: number;
  /** Codes of quad t as bytes: four rows, four k. They are at most 15, so that a relaxed dot is the same everywhere. */
  readonly quad: (f: Body, v: readonly Vector[], t: number) => Expr<"v128">;
  /** All pairs of a unit, in few instructions. */
  readonly planes: (scaled: boolean) => readonly Plane[];
}

const mask8 = (f: Body, bits: number) => f.constant(i8x16.const(bits));
const mask16 = (f: Body, bits: number) => f.constant(i16x8.const((bits << 16) >> 16));
/** Shifts of bytes take several instructions, those of words one; what comes in from the next byte is masked off anyway. */
const shiftRight = (v: Expr<"v128">, count: number) => (count ? i16x8.shr_u(v, count) : v);

/** Codes of `bits` bits, 8 / bits quads to a unit. */
const simple = (bits: 2 | 4): CodeFormat => {
  const most = 2 ** bits - 1;
  const quads = 8 / bits;
  return {
    bits,
    span: 4 * quads,
    vectors: 1,
    quad: (f, [v], t) => v128.and(shiftRight(v!, bits * t), mask8(f, most)),
    planes: (scaled) =>
      Array.from({ length: quads * 2 }, (_plane, pair): Plane => {
        const shift = (pair >> 1) * bits + (pair & 1) * 8;
        const isTop = shift + bits === 16;
        if (scaled && shift <= 8 && !isTop)
          return { pair, scale: 2 ** shift, value: (f, [v]) => v128.and(v!, mask16(f, most << shift)) };
        return {
          pair,
          scale: 1,
          value: (f, [v]) => (isTop ? shiftRight(v!, shift) : v128.and(shiftRight(v!, shift), mask16(f, most))),
        };
      }),
  };
};

const QUADS_OF_THREE = 8;
const three: CodeFormat = {
  bits: 3,
  span: 4 * QUADS_OF_THREE,
  vectors: 3,
  quad: (f, v, t) => {
    const low = v128.and(shiftRight(v[t >> 2]!, 2 * (t & 3)), mask8(f, 3));
    const moved = t < 2 ? i16x8.shl(v[2]!, 2 - t) : shiftRight(v[2]!, t - 2);
    return v128.or(low, v128.and(moved, mask8(f, 4)));
  },
  planes: () =>
    Array.from({ length: QUADS_OF_THREE * 2 }, (_, pair) => ({
      pair,
      scale: 1,
      value: (f, v) => {
        const bytes = three.quad(f, v, pair >> 1);
        return pair & 1 ? shiftRight(bytes, 8) : v128.and(bytes, mask16(f, 255));
      },
    })),
};

export const formats: Readonly<Record<2 | 3 | 4, CodeFormat>> = { 2: simple(2), 3: three, 4: simple(4) };

/** Rows that lie together. */
export const GROUP = 8;
/** Bytes of a unit of 8 rows. */
export const unitBytes = ({ vectors }: CodeFormat): number => 2 * 16 * vectors;
/** Bytes that the codes of a matrix take. */
export const codeBytes = (format: CodeFormat, rows: number, k: number): number =>
  (Math.ceil(rows / GROUP) * k * unitBytes(format)) / format.span;

/** The bytes of codes [rows, k] in a format. k is a multiple of its span. */
export const packCodes = (format: CodeFormat, codes: ArrayLike<number>, rows: number, k: number): Uint8Array => {
  const { bits, span, vectors } = format;
  const out = new Uint8Array(codeBytes(format, rows, k));
  const bytes = unitBytes(format);
  for (let row = 0; row < rows; row++) {
    const group = Math.floor(row / GROUP) * (k / span) * bytes;
    const lane = ((row >> 2) & 1) * vectors * 16 + (row & 3) * 4;
    for (let i = 0; i < k; i++) {
      const code = codes[row * k + i]!;
      const at = group + Math.floor(i / span) * bytes + lane + (i & 3);
      const t = (i % span) >> 2;
      if (bits === 3) {
        out[at + (t >> 2) * 16]! |= (code & 3) << (2 * (t & 3));
        out[at + 32]! |= (code >> 2) << t;
      } else out[at]! |= code << (bits * t);
    }
  }
  return out;
};

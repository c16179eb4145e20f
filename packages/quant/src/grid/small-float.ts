/** A binary floating-point format of at most 8 bits: sign, exponent and fraction, with subnormals. */
export interface SmallFloat {
  readonly name: "e4m3" | "e5m2" | "e2m1";
  readonly exponentBits: number;
  readonly fractionBits: number;
  readonly bias: number;
  /** Largest finite value; what is larger saturates. */
  readonly largest: number;
}

/** float8e4m3fn: no infinities, NaN where all bits but the sign are ones. Source: arXiv:2209.05433. */
export const E4M3: SmallFloat = { name: "e4m3", exponentBits: 4, fractionBits: 3, bias: 7, largest: 448 };
/** float8e5m2: infinities and NaN as IEEE 754 has them. Source: arXiv:2209.05433. */
export const E5M2: SmallFloat = { name: "e5m2", exponentBits: 5, fractionBits: 2, bias: 15, largest: 57344 };
/** float4e2m1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives. Source: OCP Microscaling Formats 1.0, 5.3.3. */
export const E2M1: SmallFloat = { name: "e2m1", exponentBits: 2, fractionBits: 1, bias: 1, largest: 6 };

/** Value of the bits of a format; NaN and infinities where it has them. */
export const smallFloatValue = (code: number, { exponentBits, fractionBits, bias, largest }: SmallFloat): number => {
  const sign = (code >> (exponentBits + fractionBits)) & 1 ? -1 : 1;
  const exponent = (code >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = code & (2 ** fractionBits - 1);
  const size =
    exponent === 0
      ? fraction * 2 ** (1 - bias - fractionBits)
      : (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
  if (size <= largest) return sign * size;
  // E4M3 has one code past its largest value; E5M2 has four, the first of them infinity.
  return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
};

/** What each code stands for, [2^bits], with 0 for those that stand for no finite number. */
export const smallFloatValues = (format: SmallFloat): Float32Array =>
  Float32Array.from({ length: 2 ** (1 + format.exponentBits + format.fractionBits) }, (_, code) => {
    const value = smallFloatValue(code, format);
    return Number.isFinite(value) ? value : 0;
  });

/** Exponent code of a block's scale, 2^(code - 127). Source: OCP Microscaling Formats 1.0, 5.4.1. */
export const E8M0_BIAS = 127;
const E8M0_CODES = 256;

/** Values of E8M0, [256]; the last code, which is NaN, as 0. */
export const e8m0Values = (): Float32Array =>
  Float32Array.from({ length: E8M0_CODES }, (_, code) => (code === E8M0_CODES - 1 ? 0 : 2 ** (code - E8M0_BIAS)));

import { roundToHalf } from "@espalier/core";
import { type Affine, affineOf, fittedAffine, looseAffineOf } from "./affine.ts";
import { extremeScale, fittedScale, type SymmetricRange } from "./symmetric.ts";

export interface SearchOptions {
  readonly clip: "none" | "mse";
  readonly half: boolean;
  /** Zero points are whole numbers. */
  readonly whole: boolean;
  readonly highest: number;
  readonly signed: SymmetricRange;
}

const span = (w: Float32Array, start: number, end: number): readonly [number, number] => {
  let lo = w[start]!;
  let hi = lo;
  for (let i = start + 1; i < end; i++) {
    lo = Math.min(lo, w[i]!);
    hi = Math.max(hi, w[i]!);
  }
  return [lo, hi];
};

/**
 * Scale and zero point of a block w[start .. end] where more than its extremes decide: a search for the least squared
 * error, or a float zero point, whose range need not have 0 in it.
 */
export const searchedScales = ({ clip, half, whole, highest, signed }: SearchOptions) => {
  const round = half ? roundToHalf : Math.fround;
  const make = whole ? affineOf : looseAffineOf;
  const out: Affine = { scale: 1, zero: 0 };
  return {
    symmetric(w: Float32Array, start: number, end: number): number {
      const [lo, hi] = span(w, start, end);
      const extreme = extremeScale(Math.min(0, lo), Math.max(0, hi), signed);
      return round(clip === "mse" ? fittedScale(w, start, end, signed, extreme) : extreme) || 1;
    },
    affine(w: Float32Array, start: number, end: number): Affine {
      const [lo, hi] = span(w, start, end);
      const gridOf = (ratio: number) => make(out, lo * ratio, hi * ratio, highest, round);
      return clip === "mse" ? fittedAffine(w, start, end, highest, gridOf) : gridOf(1);
    },
  };
};

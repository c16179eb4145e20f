import { E2M1, type SmallFloat, smallFloatValues } from "./small-float.ts";

/**
 * NF4: the quantiles of a Gaussian at which its 16 codes are equally probable, over their largest, with an exact zero.
 *
 *     offset = 1 - (1 / 30 + 1 / 32) / 2
 *     Φ⁻¹ of 9 points from offset to 0.5 and of 8 points, their negatives, without the doubled 0
 *
 * Source: QLoRA, arXiv:2305.14314, appendix E, whose values these are.
 */
export const NF4: Float32Array = Float32Array.of(
  -1,
  -0.6961928009986877,
  -0.5250730514526367,
  -0.39491748809814453,
  -0.28444138169288635,
  -0.18477343022823334,
  -0.09105003625154495,
  0,
  0.07958029955625534,
  0.16093020141124725,
  0.24611230194568634,
  0.33791524171829224,
  0.44070982933044434,
  0.5626170039176941,
  0.7229568362236023,
  1,
);

/** FP4 by its bits (E2M1), over its largest value 6. */
export const FP4: Float32Array = smallFloatValues(E2M1).map((value) => value / E2M1.largest);

/** FP4 as onnxruntime's MatMulBnb4 has it: 0.5 is 1/192, and the order is bitsandbytes'. Source: onnxruntime 1.30. */
export const FP4_BITSANDBYTES: Float32Array = Float32Array.of(
  ...[0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4],
  ...[0, -1 / 192, -2 / 3, -1, -1 / 3, -1 / 2, -1 / 6, -1 / 4],
);

/** What codes stand for, and the nearest of them. */
export interface ValueTable {
  /** Value of each code. */
  readonly values: Float32Array;
  /** Code of 0. */
  readonly zero: number;
  /** Largest magnitude. */
  readonly largest: number;
  /** Code of the value nearest to x; of two as near, the even code, or the smaller value. */
  nearest(x: number): number;
}

/**
 * A table with its values in order, so that the nearest is found by halving the range.
 *
 * @param values [codes]; of codes with one value (0 and -0) the first is used
 */
export const valueTable = (values: Float32Array): ValueTable => {
  const order = [...values.keys()]
    .sort((a, b) => values[a]! - values[b]! || a - b)
    .filter((code, i, all) => i === 0 || values[code] !== values[all[i - 1]!]);
  const sorted = Float64Array.from(order, (code) => values[code]!);
  const middles = Float64Array.from({ length: sorted.length - 1 }, (_, i) => (sorted[i]! + sorted[i + 1]!) / 2);
  return {
    values,
    zero: order[sorted.indexOf(0)] ?? 0,
    largest: values.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    nearest(x) {
      // the number of middles below x
      let [low, high] = [0, middles.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (middles[middle]! < x) low = middle + 1;
        else high = middle;
      }
      const [lower, upper] = [order[low]!, order[low + 1]];
      return middles[low] === x && upper !== undefined && lower % 2 === 1 && upper % 2 === 0 ? upper : lower;
    },
  };
};

/** The table of a floating-point format. Codes of no finite number are never chosen, as theirs is 0. */
export const smallFloatTable = (format: SmallFloat): ValueTable => valueTable(smallFloatValues(format));

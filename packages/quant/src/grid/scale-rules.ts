import { roundToHalf } from "@espalier/core";
import { bitsOf } from "./extremes.ts";
import { nearest } from "./nearest.ts";
import { E4M3, E8M0_BIAS } from "./small-float.ts";
import type { StoredScales } from "./value-grid.ts";
import { smallFloatTable } from "./value-table.ts";

/** Scales as they are stored, and what they decode to. */
interface KeptScales {
  readonly scales: Float32Array;
  readonly stored: StoredScales | undefined;
}

/** How the extreme of a block, the largest magnitude in it, becomes a scale. */
export interface ScaleRule {
  /** Multiples of the extreme that a search for the least squared error tries; 1 is the first. */
  readonly ratios: readonly number[];
  /** About the scale that an extreme gets. */
  scaleOf(extreme: number): number;
  /** @param extremes [rows * blocks] */
  keep(extremes: Float32Array): KeptScales;
}

/** Parts of the extreme that a search keeps. Source: SPEC Q-10. */
const CLIPS = [1, 0.97, 0.94, 0.91, 0.88, 0.84, 0.8, 0.75];

/** Floats: the extreme falls on the largest value. */
export const floatScales = (largest: number, half: boolean): ScaleRule => {
  const round = half ? roundToHalf : Math.fround;
  return {
    ratios: CLIPS,
    scaleOf: (extreme) => round(extreme / largest),
    keep: (extremes) => ({ scales: extremes.map((extreme) => round(extreme / largest)), stored: undefined }),
  };
};

const FRACTION_BITS = 23;
const EXPONENT_MASK = 0xff;
const MOST_E8M0 = 254;

/**
 * Powers of two, one byte each:
 *
 *     code = clamp(floor(log2 extreme) - floor(log2 largest) + 127, 0, 254)      scale = 2^(code - 127)
 *
 * The search tries the next power too, whose steps are twice as long and clip nothing.
 * Source: OCP Microscaling Formats 1.0, 6.3.
 */
export const powerScales = (largest: number): ScaleRule => {
  const word = new Float32Array(1);
  const bits = bitsOf(word);
  const exponentOf = (x: number) => {
    word[0] = x;
    return (bits[0]! >>> FRACTION_BITS) & EXPONENT_MASK;
  };
  const top = exponentOf(largest) - E8M0_BIAS;
  const codeOf = (extreme: number) => Math.min(MOST_E8M0, Math.max(0, exponentOf(extreme) - top));
  const powerOf = (code: number) => 2 ** (code - E8M0_BIAS);
  return {
    ratios: [1, 2],
    scaleOf: (extreme) => powerOf(codeOf(extreme)),
    keep: (extremes) => {
      const codes = Uint8Array.from(extremes, codeOf);
      return { scales: Float32Array.from(codes, powerOf), stored: { kind: "e8m0", codes } };
    },
  };
};

/**
 * E4M3, one byte each, and one float for the tensor, so that the largest block's scale is E4M3's largest:
 *
 *     g = 448 * largest / max(extremes)      code = E4M3(g * extreme / largest)      scale = E4M3⁻¹(code) / g
 *
 * g is 1 for a tensor of zeros. Source: NVFP4 as in SPEC QL-08.
 */
export const e4m3Scales = (largest: number, most: number): ScaleRule => {
  const table = smallFloatTable(E4M3);
  const factor = most > 0 ? Math.fround(most / largest / E4M3.largest) : 1;
  const inverse = factor > 0 ? 1 / factor : 0;
  const codeOf = (extreme: number) => table.nearest((extreme / largest) * inverse);
  const decoded = (code: number) => Math.fround(table.values[code]! * factor);
  return {
    ratios: CLIPS,
    scaleOf: (extreme) => decoded(codeOf(extreme)),
    keep: (extremes) => {
      const codes = Uint8Array.from(extremes, codeOf);
      return { scales: Float32Array.from(codes, decoded), stored: { kind: "e4m3", codes, factor } };
    },
  };
};

const MOST_INT8 = 127;
/** Scales that share a second scale. Source: QLoRA, arXiv:2305.14314, section 3. */
const DOUBLE_GROUP = 256;

/**
 * Double quantization: scales about their mean in 8 bits, one float for every 256 of them.
 *
 *     mean = Σ scale / count      step = max|scale - mean| / 127 of the group      code = round((scale - mean) / step)
 *
 * Source: QLoRA, arXiv:2305.14314, section 3.
 */
export const doubleScales = (largest: number): ScaleRule => ({
  ratios: CLIPS,
  scaleOf: (extreme) => extreme / largest,
  keep: (extremes) => {
    const exact = Float64Array.from(extremes, (extreme) => extreme / largest);
    const mean = Math.fround(exact.reduce((sum, scale) => sum + scale, 0) / exact.length);
    const groups = Math.ceil(exact.length / DOUBLE_GROUP);
    const steps = new Float32Array(groups);
    const codes = new Int8Array(exact.length);
    const scales = new Float32Array(exact.length);
    for (let group = 0; group < groups; group++) {
      const [from, to] = [group * DOUBLE_GROUP, Math.min(exact.length, (group + 1) * DOUBLE_GROUP)];
      let most = 0;
      for (let i = from; i < to; i++) most = Math.max(most, Math.abs(exact[i]! - mean));
      const step = Math.fround(most / MOST_INT8);
      steps[group] = step;
      for (let i = from; i < to; i++) {
        codes[i] = step > 0 ? Math.max(-MOST_INT8, Math.min(MOST_INT8, nearest((exact[i]! - mean) / step))) : 0;
        scales[i] = Math.fround(Math.fround(codes[i]! * step) + mean);
      }
    }
    return { scales, stored: { kind: "double", codes, groupSize: DOUBLE_GROUP, steps, mean } };
  },
});

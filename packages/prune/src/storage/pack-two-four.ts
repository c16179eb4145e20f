import { EspalierError } from "@espalier/core";

const [KEEP, OF, POSITION_BITS] = [2, 4, 2];
const GROUPS_PER_BYTE = 2;

/** A weight of pattern 2:4: two values of each four, and where they stand. */
export interface TwoFour {
  /** [n / 2] */
  readonly values: Float32Array;
  /** [n / 8], rounded up: four bits for each group, the position of its first value in the low two. */
  readonly positions: Uint8Array;
}

/**
 * The values of a weight of pattern 2:4 and their positions: of n weights n / 2 values and n / 8 bytes, which is 9 bits
 * a weight where values are half floats. A group with fewer than two values is filled with zeros.
 *
 * @throws EspalierError `BAD_DATA` where four weights hold more than two values, or are cut off
 */
export const packTwoFour = (w: Float32Array): TwoFour => {
  if (w.length % OF !== 0)
    throw new EspalierError("BAD_DATA", "prune/storage", `${w.length} weights are no groups of ${OF}. Pad the rows.`);
  const groups = w.length / OF;
  const values = new Float32Array(groups * KEEP);
  const positions = new Uint8Array(Math.ceil(groups / GROUPS_PER_BYTE));
  for (let group = 0; group < groups; group++) {
    const at = group * OF;
    const own = [0, 1, 2, 3].filter((i) => w[at + i] !== 0);
    if (own.length > KEEP)
      throw new EspalierError(
        "BAD_DATA",
        "prune/storage",
        `the four weights from ${at} hold ${own.length} values. Prune with pattern "2:4" first.`,
      );
    const free = [0, 1, 2, 3].filter((i) => w[at + i] === 0);
    const kept = [...own, ...free.slice(0, KEEP - own.length)].sort((a, b) => a - b);
    kept.forEach((position, i) => {
      values[group * KEEP + i] = w[at + position];
      positions[group >> 1] |= position << ((group & 1) * 2 * POSITION_BITS + i * POSITION_BITS);
    });
  }
  return { values, positions };
};

/** The weight that `packTwoFour` took apart. */
export const unpackTwoFour = ({ values, positions }: TwoFour): Float32Array => {
  const w = new Float32Array((values.length / KEEP) * OF);
  values.forEach((value, at) => {
    const group = at >> 1;
    const shift = (group & 1) * 2 * POSITION_BITS + (at & 1) * POSITION_BITS;
    w[group * OF + ((positions[group >> 1] >> shift) & (OF - 1))] = value;
  });
  return w;
};

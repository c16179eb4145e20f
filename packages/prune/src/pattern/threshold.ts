const LOW_BITS = 16;
const BUCKETS = 2 ** LOW_BITS;
const SIGN = 0x8000_0000;

/** Bits of float32 numbers as integers that are ordered as the numbers are; -0 counts as 0. */
const keyOf = (bits: number): number => {
  if (bits === SIGN) return SIGN;
  return (bits & SIGN ? ~bits : bits | SIGN) >>> 0;
};

const numberOf = (key: number): number => {
  const bits = Uint32Array.of((key & SIGN ? key ^ SIGN : ~key) >>> 0);
  return new Float32Array(bits.buffer)[0];
};

/** The bucket in which the `count`-th element lies, and how many lie before it. */
const bucketOf = (counts: Float64Array, count: number): { bucket: number; before: number } => {
  let before = 0;
  let bucket = 0;
  for (; bucket < BUCKETS - 1 && before + counts[bucket] < count; bucket++) before += counts[bucket];
  return { bucket, before };
};

export interface Threshold {
  /** The `count`-th lowest score. */
  readonly value: number;
  /** How many of the scores that equal it belong to the `count` lowest. */
  readonly ties: number;
}

/**
 * The `count`-th lowest of scores that come in parts, exactly and in fixed memory: by the upper halves of their bits,
 * then by the lower halves of those that share the upper one.
 *
 * @param each hands on all parts, in the same order on each of its two calls; NaN must not be among them
 */
export const thresholdOf = async (
  each: (visit: (scores: Float32Array) => void) => Promise<void>,
  count: number,
): Promise<Threshold> => {
  const upper = new Float64Array(BUCKETS);
  const bitsOf = (scores: Float32Array) => new Uint32Array(scores.buffer, scores.byteOffset, scores.length);
  await each((scores) => {
    for (const bits of bitsOf(scores)) upper[keyOf(bits) >>> LOW_BITS]++;
  });
  const high = bucketOf(upper, count);
  const lower = new Float64Array(BUCKETS);
  await each((scores) => {
    for (const bits of bitsOf(scores)) {
      const key = keyOf(bits);
      if (key >>> LOW_BITS === high.bucket) lower[key & (BUCKETS - 1)]++;
    }
  });
  const low = bucketOf(lower, count - high.before);
  return { value: numberOf(high.bucket * BUCKETS + low.bucket), ties: count - high.before - low.before };
};

/** The bits of float32 values, in the same memory. */
export const bitsOf = (w: Float32Array): Int32Array => new Int32Array(w.buffer, w.byteOffset, w.length);

/**
 * Extremes of the blocks of a row of finite values, 0 among them, each without its sign:
 *
 *     ends[2 k] = max(0, -w)      ends[2 k + 1] = max(0, w)      over block k
 *
 * Bits of positive floats order as integers, and so do those of negative ones without their sign. The larger of two
 * such is taken without a branch, m += max(0, b - m), as branches on weights are guessed wrong half of the time.
 *
 * @param bits of the values; the row is start .. start + columns
 * @param ends bits of the result
 */
export const rowExtremes = (
  bits: Int32Array,
  start: number,
  columns: number,
  blockSize: number,
  ends: Int32Array,
): void => {
  const stop = start + columns;
  for (let from = start, at = 0; from < stop; from += blockSize, at += 2) {
    const to = Math.min(stop, from + blockSize);
    let positive = 0;
    let negative = 0;
    for (let i = from; i < to; i++) {
      const b = bits[i]!;
      const sign = b >> 31;
      const above = (b & ~sign) - positive;
      positive = (positive + (above & ~(above >> 31))) | 0;
      const below = (b & sign & 0x7fffffff) - negative;
      negative = (negative + (below & ~(below >> 31))) | 0;
    }
    ends[at] = negative;
    ends[at + 1] = positive;
  }
};

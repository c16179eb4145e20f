/** Sizes to test with: powers of two and their first multiples, each also less and more by one. */
export const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65];

/** Triples of sizes: each pair of sizes occurs in each pair of places, one combination in as many as there are sizes. */
export const sizeTriples = (sizes: readonly number[]): { m: number; n: number; k: number }[] =>
  sizes.flatMap((m, i) => sizes.map((n, j) => ({ m, n, k: sizes[(i + 2 * j) % sizes.length]! })));

const FLOAT_STEP = 2 ** -23;
const FLOAT_SMALLEST = 2 ** -149;

/**
 * How far a float32 sum may be from the exact one: each of `roundings` roundings moves it by at most half a unit in the
 * last place of the sum of magnitudes, or of the smallest number. Source: Higham, Accuracy and Stability, 3.1.
 */
export const floatBound = (roundings: number, magnitudes: number): number =>
  roundings * (FLOAT_STEP * magnitudes + FLOAT_SMALLEST);

const DOUBLE_STEP = 2 ** -52;
const DOUBLE_SMALLEST = 2 ** -1074;

/** The same for float64. The reference's own sums are no better than the kernel's: both may be off by half of it. */
export const doubleBound = (roundings: number, magnitudes: number): number =>
  roundings * (DOUBLE_STEP * magnitudes + DOUBLE_SMALLEST);

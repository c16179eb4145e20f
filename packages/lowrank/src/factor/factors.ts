/** A matrix [m, n] as up · down. */
export interface Factors {
  readonly rank: number;
  /** [m, rank], row-major */
  readonly up: Float32Array;
  /** [rank, n], row-major */
  readonly down: Float32Array;
}

/** Parameters of a factored matrix: rank (m + n). */
export const factoredSize = (m: number, n: number, rank: number): number => rank * (m + n);

/** The largest rank at which the factors have fewer parameters than the matrix: below m n / (m + n). */
export const largestUsefulRank = (m: number, n: number): number => Math.ceil((m * n) / (m + n)) - 1;

/** The rank that leaves at most a share 1 - ratio of the parameters, at least 1: (1 - ratio) m n / (m + n), rounded down. */
export const rankForRatio = (m: number, n: number, ratio: number): number =>
  Math.max(1, Math.floor(((1 - ratio) * m * n) / (m + n)));

/** Sums over rows of class scores. */
export interface RowSums {
  count: number;
  /** Rows whose first choice is the same. */
  agreed: number;
  /** Sum of KL(expected ‖ actual) over rows, in nats. */
  divergence: number;
}

export const emptyRows = (): RowSums => ({ count: 0, agreed: 0, divergence: 0 });

/** How far the sum of a row of probabilities may be from 1: half floats, and what quantized ones sum to. */
const SUM_SLACK = 0.02;
/** Probabilities below this count as this, so that a zero of a softmax that underflowed does not make KL infinite. */
const SMALLEST = 1e-12;

/** Index of the largest of `width` values from `start`; the first NaN, if there is one. */
const argmax = (values: ArrayLike<number>, start: number, width: number): number => {
  let best = 0;
  for (let i = 0; i < width; i++) {
    const value = values[start + i];
    if (Number.isNaN(value)) return i;
    if (value > values[start + best]) best = i;
  }
  return best;
};

const looksLikeProbabilities = (values: ArrayLike<number>, start: number, width: number): boolean => {
  let sum = 0;
  for (let i = start; i < start + width; i++) {
    if (!(values[i] >= 0)) return false;
    sum += values[i];
  }
  return Math.abs(sum - 1) <= SUM_SLACK;
};

/** log Σ exp(values), of one row. */
const logSumExp = (values: ArrayLike<number>, start: number, width: number): number => {
  const largest = values[start + argmax(values, start, width)];
  let sum = 0;
  for (let i = start; i < start + width; i++) sum += Math.exp(values[i] - largest);
  return largest + Math.log(sum);
};

/** Σ p log(p / q) with p and q as they are given. */
const klOfProbabilities = (p: ArrayLike<number>, q: ArrayLike<number>, start: number, width: number): number => {
  let sum = 0;
  for (let i = start; i < start + width; i++)
    if (p[i] > 0) sum += p[i] * Math.log(Math.max(p[i], SMALLEST) / Math.max(q[i], SMALLEST));
  return sum;
};

/** Σ p (log p - log q) with p and q the softmax of what is given. */
const klOfLogits = (e: ArrayLike<number>, a: ArrayLike<number>, start: number, width: number): number => {
  const [ofE, ofA] = [logSumExp(e, start, width), logSumExp(a, start, width)];
  let sum = 0;
  for (let i = start; i < start + width; i++) {
    const logP = e[i] - ofE;
    const p = Math.exp(logP);
    if (p > 0) sum += p * (logP - (a[i] - ofA));
  }
  return sum;
};

/**
 * Folds rows of `width` class scores in. A row of values that are not negative and sum to 1 is taken for
 * probabilities, any other for logits, of which the softmax is compared. Two first choices agree where the original
 * gives both the same score: a tie is no disagreement.
 *
 * @param sums     changed and returned
 * @param expected [rows, width]
 * @param actual   [rows, width]
 */
export const updateRows = (
  sums: RowSums,
  expected: ArrayLike<number>,
  actual: ArrayLike<number>,
  width: number,
): RowSums => {
  for (let start = 0; start < expected.length; start += width) {
    const [best, found] = [argmax(expected, start, width), argmax(actual, start, width)];
    const agree = Object.is(expected[start + best], expected[start + found]);
    if (agree) sums.agreed++;
    const kl = looksLikeProbabilities(expected, start, width) ? klOfProbabilities : klOfLogits;
    const divergence = kl(expected, actual, start, width);
    if (!Number.isNaN(divergence)) sums.divergence += Math.max(0, divergence);
    else if (!agree || !Number.isNaN(expected[start + best])) sums.divergence = Number.POSITIVE_INFINITY;
    sums.count++;
  }
  return sums;
};

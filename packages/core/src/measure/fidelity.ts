import { EspalierError } from "../errors.ts";
import { isFloatType } from "../numeric/floats.ts";
import type { Tensor } from "../tensor.ts";
import { numbersOf } from "./numbers.ts";
import { emptyRows, type RowSums, updateRows } from "./row-agreement.ts";

/** How far one value of a changed model is from the original's, over all samples together. */
export interface Fidelity {
  /** ‖actual - expected‖ / ‖expected‖; Infinity where one is NaN or infinite and the other is not that. */
  readonly relativeL2: number;
  /** -20 log10(relativeL2); Infinity for equal values. */
  readonly sqnrDb: number;
  /** <expected, actual> / (‖expected‖ ‖actual‖); blind to a wrong scale. */
  readonly cosine: number;
  /** Largest |actual - expected|. */
  readonly maxAbs: number;
  /**
   * Share of rows (along the last axis longer than 1) whose largest element is at the same place; of elements that are
   * equal, where they are not floats.
   */
  readonly argmaxAgreement?: number;
  /** Kullback-Leibler divergence of the rows as distributions, in nats, mean over rows: KL(expected ‖ actual). */
  readonly kl?: number;
}

export interface FidelityOptions {
  /** Rows along the last axis are scores of classes: argmax agreement and KL mean something. */
  readonly classes?: boolean;
  /** What messages call the value. */
  readonly name?: string;
}

export interface FidelitySums {
  /** @throws EspalierError `BAD_TENSOR` for tensors of different dims */
  add(expected: Tensor, actual: Tensor): void;
  result(): Fidelity;
}

/** Length of the last axis; of the one before where that is 1 and not the batch's: [N, classes, 1, 1]. */
const rowLength = (dims: readonly number[]): number => {
  let last = dims.length - 1;
  while (last > 1 && dims[last] === 1) last--;
  return dims[last] ?? 1;
};

const otherDims = (name: string, expected: Tensor, actual: Tensor) =>
  new EspalierError(
    "BAD_TENSOR",
    "core/measure",
    `"${name}" has dims [${expected.dims.join(", ")}] in one model and [${actual.dims.join(", ")}] in the other on the same input. Values cannot be compared one by one; compare an output whose length does not depend on values.`,
  );

/**
 * Compares values as they stream by; sums are float64, nothing is kept.
 *
 *     relativeL2 = √Σ(a - e)² / √Σe²     cosine = Σea / √(Σe² Σa²)     e expected, a actual, over all samples
 *
 * Equal infinities, and NaN against NaN, count as no difference. Anything else that is not finite makes `relativeL2`
 * and `maxAbs` infinite and `cosine` 0. Integers and booleans are compared as numbers, strings as equal (1) or not (0).
 */
export const fidelityOf = ({ classes = true, name = "value" }: FidelityOptions = {}): FidelitySums => {
  let [difference, expectedSquares, actualSquares, product, maxAbs] = [0, 0, 0, 0, 0];
  let broken = false;
  let [equal, compared] = [0, 0];
  let rows: RowSums | undefined;

  const addNumbers = (expected: ArrayLike<number>, actual: ArrayLike<number>) => {
    for (let i = 0; i < expected.length; i++) {
      const [e, a] = [expected[i], actual[i]];
      const d = a - e;
      if (!Number.isFinite(d)) {
        // the same infinity or NaN in both: no difference to add
        if (!Object.is(a, e)) broken = true;
        continue;
      }
      difference += d * d;
      expectedSquares += e * e;
      actualSquares += a * a;
      product += e * a;
      if (Math.abs(d) > maxAbs) maxAbs = Math.abs(d);
    }
  };

  return {
    add(expected, actual) {
      if (expected.dims.join() !== actual.dims.join()) throw otherDims(name, expected, actual);
      if (expected.type === "string" || actual.type === "string") {
        const same = Array.from(expected.data as string[], (text, i) => Number(text === actual.data[i]));
        addNumbers(new Array(same.length).fill(1), same);
        for (const one of same) equal += one;
        compared += same.length;
        return;
      }
      const [e, a] = [numbersOf(expected), numbersOf(actual)];
      addNumbers(e, a);
      if (isFloatType(expected.type)) {
        const width = rowLength(expected.dims);
        if (classes && width >= 2) rows = updateRows(rows ?? emptyRows(), e, a, width);
      } else {
        for (let i = 0; i < e.length; i++) if (e[i] === a[i]) equal++;
        compared += e.length;
      }
    },
    result() {
      const norm = Math.sqrt(expectedSquares);
      const distance = Math.sqrt(difference);
      const exact = distance === 0 && !broken;
      const ratio = broken ? Number.POSITIVE_INFINITY : distance / norm;
      const relativeL2 = exact ? 0 : Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
      const cosine = exact ? 1 : product / (norm * Math.sqrt(actualSquares));
      const agreement = rows && rows.count > 0 ? rows.agreed / rows.count : compared > 0 ? equal / compared : undefined;
      return {
        relativeL2,
        sqnrDb: -20 * Math.log10(relativeL2),
        cosine: broken || Number.isNaN(cosine) ? 0 : cosine,
        maxAbs: broken ? Number.POSITIVE_INFINITY : maxAbs,
        ...(agreement !== undefined && { argmaxAgreement: agreement }),
        ...(rows && rows.count > 0 && { kl: rows.divergence / rows.count }),
      };
    },
  };
};

/** Factors of channels whose change is below this end the rounds. */
const SETTLED = 1e-3;
const ROUNDS = 50;

/** A weight as [out, in of its group, kernel], and its groups. */
export interface GroupedWeight {
  readonly data: Float32Array;
  readonly out: number;
  /** Inputs of a group. */
  readonly inputs: number;
  readonly kernel: number;
  readonly groups: number;
}

/** Visits the places of a weight that channel `c` of its input meets. */
const eachOfInput = ({ out, inputs, kernel, groups }: GroupedWeight, c: number, visit: (at: number) => void) => {
  const part = out / groups;
  const group = Math.floor(c / inputs);
  for (let o = group * part; o < (group + 1) * part; o++) {
    const start = (o * inputs + (c % inputs)) * kernel;
    for (let i = start; i < start + kernel; i++) visit(i);
  }
};

const largestOut = ({ data, inputs, kernel }: GroupedWeight, c: number): number => {
  let most = 0;
  for (let i = c * inputs * kernel; i < (c + 1) * inputs * kernel; i++) most = Math.max(most, Math.abs(data[i]!));
  return most;
};

const largestIn = (w: GroupedWeight, c: number): number => {
  let most = 0;
  eachOfInput(w, c, (i) => {
    most = Math.max(most, Math.abs(w.data[i]!));
  });
  return most;
};

/**
 * Makes the ranges of channels of weights that follow one another alike, in place, round by round until factors settle.
 *
 *     s_c = √(r1_c / r2_c)    W1[c, :] /= s_c    W2[:, c] *= s_c      r the largest size, so that both become √(r1 r2)
 *
 * Channels without weights on one side stay. Source: arXiv:1906.04721, eqs. 8 to 11.
 *
 * @param pairs indices of the weights that meet: [first, second]
 * @returns by pair, the product of the factors s of each channel
 */
export const equalize = (
  weights: readonly GroupedWeight[],
  pairs: readonly (readonly [number, number])[],
): readonly Float64Array[] => {
  const factors = pairs.map(([first]) => new Float64Array(weights[first]!.out).fill(1));
  for (let round = 0; round < ROUNDS; round++) {
    let change = 0;
    for (const [index, [first, second]] of pairs.entries()) {
      const [a, b] = [weights[first]!, weights[second]!];
      for (let c = 0; c < a.out; c++) {
        const [r1, r2] = [largestOut(a, c), largestIn(b, c)];
        const s = Math.sqrt(r1 / r2);
        if (!(s > 0) || !Number.isFinite(s)) continue;
        change = Math.max(change, Math.abs(s - 1));
        factors[index]![c]! *= s;
        for (let i = c * a.inputs * a.kernel; i < (c + 1) * a.inputs * a.kernel; i++) a.data[i]! /= s;
        eachOfInput(b, c, (i) => {
          b.data[i]! *= s;
        });
      }
    }
    if (change < SETTLED) break;
  }
  return factors;
};

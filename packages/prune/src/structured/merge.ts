/** One merge: unit `gone` is replaced by unit `into`, whose outgoing weights become the sum of both. */
interface MergeStep {
  readonly into: number;
  readonly gone: number;
  readonly saliency: number;
}

export interface Merged {
  readonly steps: readonly MergeStep[];
  /** Outgoing weights of each unit once all steps are done; those of units that are gone are 0. */
  readonly outgoing: readonly Float64Array[];
}

const squaredDistance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum;
};

const squares = (a: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * a[i];
  return sum;
};

/**
 * The pair of units that differ least by what they hand on is merged, again and again:
 *
 *     s_ij = <a_j²> ‖W_i - W_j‖²      a_i += a_j, j goes, for the least s_ij
 *
 * W_i: weights and bias that make unit i; a_i: weights that take it in; <·> the mean over the `outputs`. Of equal
 * saliencies the lowest j goes, into the lowest i. Where the activation between grows with slope 1 at most, the outputs
 * change by at most `outputs` s_ij ‖x, 1‖² in squares together. Source: Srinivas & Babu 2015, arXiv:1507.06149.
 *
 * @param most how many units go at most
 */
export const mergeUnits = (
  incoming: readonly ArrayLike<number>[],
  given: readonly ArrayLike<number>[],
  outputs: number,
  most: number,
): Merged => {
  const count = incoming.length;
  const outgoing = given.map((values) => Float64Array.from(values));
  const weight = outgoing.map((values) => squares(values) / outputs);
  const distances = new Float64Array(count * count);
  for (let i = 0; i < count; i++)
    for (let j = 0; j < i; j++) {
      distances[i * count + j] = squaredDistance(incoming[i], incoming[j]);
      distances[j * count + i] = distances[i * count + j];
    }
  const alive = new Uint8Array(count).fill(1);
  const nearestTo = (j: number): number => {
    let best = -1;
    for (let i = 0; i < count; i++)
      if (alive[i] && i !== j && (best < 0 || distances[i * count + j] < distances[best * count + j])) best = i;
    return best;
  };
  const nearest = Array.from({ length: count }, (_, j) => nearestTo(j));
  const steps: MergeStep[] = [];
  while (steps.length < Math.min(most, count - 1)) {
    let step: MergeStep | undefined;
    for (let j = 0; j < count; j++) {
      if (!alive[j]) continue;
      const saliency = weight[j] * distances[nearest[j] * count + j];
      if (!step || saliency < step.saliency) step = { into: nearest[j], gone: j, saliency };
    }
    if (!step) break;
    const { into, gone } = step;
    steps.push(step);
    alive[gone] = 0;
    for (let k = 0; k < outgoing[into].length; k++) outgoing[into][k] += outgoing[gone][k];
    outgoing[gone].fill(0);
    weight[into] = squares(outgoing[into]) / outputs;
    for (let j = 0; j < count; j++) if (alive[j] && nearest[j] === gone) nearest[j] = nearestTo(j);
  }
  return { steps, outgoing };
};

/**
 * How many of the first values lie before the knee of a rising curve: the place that is farthest under the straight line
 * from its first to its last point. Source of the rule: arXiv:1507.06149, section 3.3, where saliency starts to rise.
 */
export const kneeOf = (values: readonly number[]): number => {
  const last = values.length - 1;
  if (last < 2) return 0;
  const rising: number[] = [];
  for (const value of values) rising.push(Math.max(value, rising.at(-1) ?? 0));
  let best = { at: 0, depth: 0 };
  for (const [at, value] of rising.entries()) {
    const line = rising[0] + ((rising[last] - rising[0]) * at) / last;
    if (line - value > best.depth) best = { at, depth: line - value };
  }
  return best.at;
};

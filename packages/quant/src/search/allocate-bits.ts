/** One way to store a layer. */
export interface Choice {
  /** A whole number of 0 or more. */
  readonly cost: number;
  /** What it does to the result: errors of layers add up. */
  readonly error: number;
}

/** A sum of costs and errors that no other undercuts in both, and the choice of each layer that makes it. */
export interface FrontPoint {
  readonly cost: number;
  readonly error: number;
  readonly picks: readonly number[];
}

/** Sums reached with the layers so far, by rising cost and falling error. */
interface Reached {
  readonly costs: Float64Array;
  readonly errors: Float64Array;
  /** The point of the layer before that each comes from, and the choice that was added. */
  readonly from: Uint32Array;
  readonly pick: Uint16Array;
}

/** The points that no other undercuts, each of `before` with each choice added; those over the budget left out. */
const extend = (before: Reached, choices: readonly Choice[], budget: number): Reached => {
  const found: { cost: number; error: number; from: number; pick: number }[] = [];
  choices.forEach(({ cost, error }, pick) => {
    for (let from = 0; from < before.costs.length; from++) {
      const sum = before.costs[from]! + cost;
      if (sum > budget) break;
      found.push({ cost: sum, error: before.errors[from]! + error, from, pick });
    }
  });
  found.sort((a, b) => a.cost - b.cost || a.error - b.error || a.pick - b.pick || a.from - b.from);
  let least = Number.POSITIVE_INFINITY;
  const kept = found.filter(({ error }) => {
    if (!(error < least)) return false;
    least = error;
    return true;
  });
  return {
    costs: Float64Array.from(kept, ({ cost }) => cost),
    errors: Float64Array.from(kept, ({ error }) => error),
    from: Uint32Array.from(kept, ({ from }) => from),
    pick: Uint16Array.from(kept, ({ pick }) => pick),
  };
};

/**
 * All sums of a choice for each layer that no other undercuts in both cost and error, by rising cost, up to a budget:
 * exact, by dynamic programming.
 *
 *     front[l] = undominated { (c + cost, e + error) : (c, e) in front[l - 1], (cost, error) a choice of layer l }
 *
 * Empty where even the cheapest choices cost more than the budget. Time and memory: layers × points, and there are no
 * more points than whole numbers up to the budget.
 */
export const paretoFront = (
  layers: readonly (readonly Choice[])[],
  budget = Number.POSITIVE_INFINITY,
): readonly FrontPoint[] => {
  const first: Reached = {
    costs: Float64Array.of(0),
    errors: Float64Array.of(0),
    from: Uint32Array.of(0),
    pick: Uint16Array.of(0),
  };
  // what the layers behind cost at least is not there to spend
  const rest = new Float64Array(layers.length + 1);
  for (let l = layers.length - 1; l >= 0; l--) rest[l] = rest[l + 1]! + Math.min(...layers[l]!.map(({ cost }) => cost));
  const fronts = [first];
  layers.forEach((choices, l) => {
    fronts.push(extend(fronts[l]!, choices, budget - rest[l + 1]!));
  });
  const last = fronts.at(-1)!;
  return Array.from(last.costs, (cost, point): FrontPoint => {
    const picks = new Array<number>(layers.length);
    let at = point;
    for (let l = layers.length; l > 0; l--) {
      picks[l - 1] = fronts[l]!.pick[at]!;
      at = fronts[l]!.from[at]!;
    }
    return { cost, error: last.errors[point]!, picks };
  });
};

/**
 * The choice for each layer that makes the sum of errors smallest while the sum of costs is at most `budget`, exact;
 * undefined where even the cheapest choices cost more.
 */
export const allocateBits = (layers: readonly (readonly Choice[])[], budget: number): readonly number[] | undefined =>
  paretoFront(layers, budget).at(-1)?.picks;

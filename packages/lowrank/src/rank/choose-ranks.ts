import { allocate } from "@espalier/core";
import { badOption } from "../errors.ts";
import { factoredSize, largestUsefulRank, rankForRatio } from "../factor/factors.ts";
import type { RankRule } from "./rank-options.ts";

/** What the choice of a rank looks at: a stack of `groups` matrices [m, n], all of one rank. */
export interface Candidate {
  readonly m: number;
  readonly n: number;
  readonly groups: number;
  /** Squared error at each rank, 0 to min(m, n), summed over the groups; asked for only where the rule needs it. */
  readonly errors?: Float64Array;
}

/** A rank, or why the layer stays whole. */
export type Choice = number | string;

const saves = ({ m, n }: Candidate, rank: number): Choice => {
  if (rank <= largestUsefulRank(m, n)) return rank;
  return `rank ${rank} would take ${factoredSize(m, n, rank)} parameters for ${m * n}`;
};

const byEnergy = (candidate: Candidate, share: number): Choice => {
  const errors = candidate.errors!;
  const limit = (1 - share) * errors[0];
  const rank = Math.max(
    1,
    errors.findIndex((error) => error <= limit),
  );
  return saves(candidate, rank);
};

/** The rank of one layer by a rule that looks at one layer at a time. */
export const rankOf = (candidate: Candidate, rule: Exclude<RankRule, { kind: "budget" }>): Choice => {
  const { m, n } = candidate;
  if (rule.kind === "rank") return saves(candidate, rule.rank);
  if (rule.kind === "energy") return byEnergy(candidate, rule.share);
  return saves(candidate, rankForRatio(m, n, rule.share));
};

/** Ranks that are looked at in each layer, evenly spaced, and the costs that a budget is counted in. */
const RANKS = 48;
const UNITS = 4000;

/**
 * Ranks for all layers within one budget: the sum of the relative errors, error[r] / error[0] of each layer, is as small
 * as it can be for ranks on a grid of 48 a layer and costs rounded up to 1 / 4000 of the budget.
 *
 * @throws EspalierError `BAD_OPTION` where rank 1 everywhere takes more than the budget leaves
 */
export const ranksInBudget = (where: string, candidates: readonly Candidate[], share: number): Choice[] => {
  const total = candidates.reduce((sum, { m, n, groups }) => sum + m * n * groups, 0);
  const unit = ((1 - share) * total) / UNITS;
  const grids = candidates.map(({ m, n }) => {
    const most = largestUsefulRank(m, n);
    const ranks = Array.from({ length: RANKS }, (_, i) => Math.ceil(((i + 1) * most) / RANKS));
    return [...new Set(ranks)].filter((rank) => rank >= 1);
  });
  const choices = candidates.map(({ m, n, groups, errors }, i) => [
    ...grids[i].map((rank) => ({
      cost: Math.ceil((factoredSize(m, n, rank) * groups) / unit),
      error: errors![0] > 0 ? errors![rank] / errors![0] : 0,
    })),
    { cost: Math.ceil((m * n * groups) / unit), error: 0 },
  ]);
  const picked = allocate(choices, UNITS);
  if (!picked)
    throw badOption(
      where,
      `rank 1 in every layer still takes more than a budget of ${share} leaves. Give a smaller one.`,
    );
  return picked.map((index, i) => grids[i][index] ?? "the budget is better spent by leaving it whole");
};

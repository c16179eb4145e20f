import type { Group, Groups } from "@espalier/core";
import { badOption } from "../errors.ts";
import { roundHalfEven } from "../half-even.ts";
import type { Ranking } from "./scores.ts";
import type { WorkLeft } from "./work.ts";

export interface ChooseOptions {
  /** Share of the multiply-accumulates that goes. */
  readonly ratio: number;
  /** `local`: the same share of every group; `global`: where it costs least. */
  readonly scope: "local" | "global";
  /** Counts that stay are multiples of this. */
  readonly multiple: number;
  /** Share of each group that stays at least. */
  readonly keep: number;
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/** Counts of units that make whole multiples of the axis that they lie on: a head of 32 numbers is one of 8 by itself. */
export const multipleFor = ({ members }: Group, multiple: number): number => {
  const width = members.find(({ role }) => role === "out")?.indices[0].length ?? 1;
  return multiple / divisor(multiple, width);
};

/** The least that stays of a group: a multiple, and no less than `keep` of it. */
export const leastOf = (group: Group, options: Pick<ChooseOptions, "multiple" | "keep">): number => {
  const multiple = multipleFor(group, options.multiple);
  const least = Math.max(1, Math.ceil(options.keep * group.size));
  return Math.min(group.size, Math.ceil(least / multiple) * multiple);
};

const MEASURES = { macs: "multiply-accumulates", bytes: "bytes", latency: "latency" } as const;

export const tooMuch = (where: string, ratio: number, most: number, budget: keyof typeof MEASURES = "macs") =>
  badOption(
    where,
    `ratio ${ratio} of the ${MEASURES[budget]} cannot go: with what must stay of each group, ${most.toFixed(3)} can. Lower ratio, keep or multiple.`,
  );

/** @throws EspalierError `BAD_OPTION` where `ratio` of the work does not go even with the least of each chosen group */
export const checkReach = (
  where: string,
  { groups }: Groups,
  chosen: readonly boolean[],
  work: WorkLeft,
  options: Pick<ChooseOptions, "ratio" | "multiple" | "keep">,
): void => {
  const full = work.total();
  for (const [at, group] of groups.entries())
    if (chosen[at])
      work.remove(
        at,
        Array.from({ length: group.size - leastOf(group, options) }, (_, unit) => unit),
      );
  const most = 1 - work.total() / full;
  if (most < options.ratio) throw tooMuch(where, options.ratio, most);
};

/** How many units of each group go: where a unit costs least for the work that it saves. */
const globally = (
  where: string,
  { groups }: Groups,
  rankings: readonly Ranking[],
  work: WorkLeft,
  options: ChooseOptions,
): number[] => {
  const [full, gone] = [work.total(), groups.map(() => 0)];
  const { ratio } = options;
  /** The next units of a group, down to the next multiple. */
  const stepOf = (at: number): number[] => {
    const left = groups[at].size - gone[at];
    const multiple = multipleFor(groups[at], options.multiple);
    const next = (Math.ceil(left / multiple) - 1) * multiple;
    const allowed = next >= leastOf(groups[at], options);
    return allowed ? rankings[at].order.slice(gone[at], gone[at] + left - next) : [];
  };
  while (full - work.total() < ratio * full) {
    let best: { at: number; units: number[]; price: number } | undefined;
    for (const at of groups.keys()) {
      const units = stepOf(at);
      const saved = units.length > 0 ? work.saved(at, units) : 0;
      if (saved <= 0) continue;
      const price = rankings[at].costs.slice(gone[at], gone[at] + units.length).reduce((a, b) => a + b, 0) / saved;
      if (!best || price < best.price) best = { at, units, price };
    }
    if (!best) throw tooMuch(where, ratio, 1 - work.total() / full);
    work.remove(best.at, best.units);
    gone[best.at] += best.units.length;
  }
  return gone;
};

/** The smallest share of every group that takes away enough. */
const locally = (
  where: string,
  { groups }: Groups,
  rankings: readonly Ranking[],
  newWork: () => WorkLeft,
  options: ChooseOptions,
): number[] => {
  const countsAt = (share: number) =>
    groups.map((group, at) => {
      const { size } = group;
      const multiple = multipleFor(group, options.multiple);
      const wanted = Math.max(leastOf(group, options), roundHalfEven((size * (1 - share)) / multiple) * multiple);
      return Math.min(rankings[at].order.length, Math.max(0, size - wanted));
    });
  const restAt = (counts: readonly number[]) => {
    const work = newWork();
    const full = work.total();
    for (const [at, count] of counts.entries()) work.remove(at, rankings[at].order.slice(0, count));
    return 1 - work.total() / full;
  };
  const STEPS = 200;
  for (let step = 0; step <= STEPS; step++) {
    const counts = countsAt(step / STEPS);
    if (restAt(counts) >= options.ratio) return counts;
  }
  throw tooMuch(where, options.ratio, restAt(countsAt(1)));
};

/**
 * How many units of each group go, the first of its ranking, so that `ratio` of the work goes at least.
 *
 * @throws EspalierError `BAD_OPTION` where so much cannot go
 */
export const chooseUnits = (
  where: string,
  found: Groups,
  rankings: readonly Ranking[],
  newWork: () => WorkLeft,
  options: ChooseOptions,
): number[] =>
  options.scope === "global"
    ? globally(where, found, rankings, newWork(), options)
    : locally(where, found, rankings, newWork, options);

import { allocate, type Group, type Groups } from "@espalier/core";
import { leastOf, multipleFor, tooMuch } from "./choose-units.ts";
import type { ScanRow } from "./scan.ts";
import type { Ranking } from "./scores.ts";
import type { WorkLeft } from "./work.ts";

/** What `ratio` is a share of. */
export type Budget = "macs" | "bytes" | "latency";

export interface AllocateOptions {
  readonly budget: Budget;
  readonly ratio: number;
  readonly multiple: number;
  readonly keep: number;
  /** Bytes of the whole model. */
  readonly bytes: number;
  newWork(): WorkLeft;
  /** Share of the budget's measure that is left when these counts go together. */
  left(counts: readonly number[]): Promise<number>;
}

/** Counts that are looked at in each group, and the costs that a budget is counted in. */
const COUNTS = 48;
const UNITS = 4000;
/** Groups share what they save: how often more is asked of each alone until enough goes together. */
const TRIES = 12;

interface Curve {
  /** Units that go, from 0 on. */
  readonly counts: readonly number[];
  readonly errors: readonly number[];
  /** Shares of the whole that each saves alone. */
  readonly saved: readonly number[];
}

/** Straight lines through points with rising x, level behind the last. */
const through = (xs: readonly number[], ys: readonly number[], x: number): number => {
  const right = xs.findIndex((each) => each >= x);
  if (right < 0) return ys[ys.length - 1];
  if (right === 0 || xs[right] === xs[right - 1]) return ys[right];
  const share = (x - xs[right - 1]) / (xs[right] - xs[right - 1]);
  return ys[right - 1] + share * (ys[right] - ys[right - 1]);
};

const countsOf = (group: Group, ranking: Ranking, options: AllocateOptions): number[] => {
  const multiple = multipleFor(group, options.multiple);
  const most = Math.min(group.size - leastOf(group, options), ranking.order.length);
  const found = new Set<number>();
  for (let stay = Math.floor((group.size - 1) / multiple) * multiple; group.size - stay <= most; stay -= multiple)
    found.add(group.size - stay);
  const all = [...found];
  const step = Math.max(1, Math.ceil(all.length / COUNTS));
  return [0, ...all.filter((_, i) => i % step === step - 1 || i === all.length - 1)];
};

/** The error of each count by the rows that were measured, between them in proportion to the costs of the ranking. */
const curveOf = (
  at: number,
  group: Group,
  ranking: Ranking,
  rows: readonly ScanRow[],
  options: AllocateOptions,
): Curve => {
  const counts = countsOf(group, ranking, options);
  const sums = [0];
  for (const cost of ranking.costs) sums.push(sums[sums.length - 1] + Math.max(0, cost));
  const xs = [0, ...rows.map(({ gone }) => gone)];
  const measured = [0, ...rows.map(({ error }) => error)];
  const errors = counts.map((count) =>
    through(
      xs.map((x) => sums[x]),
      measured,
      sums[count],
    ),
  );
  for (let i = 1; i < errors.length; i++) errors[i] = Math.max(errors[i], errors[i - 1]);
  const work = options.newWork();
  const full = work.total();
  const savedBy = (row: ScanRow) => (options.budget === "bytes" ? 1 - row.bytes / options.bytes : 1 - row.latency!);
  const known = [0, ...rows.map((row) => (options.budget === "macs" ? 0 : savedBy(row)))];
  const saved = counts.map((count) =>
    options.budget === "macs"
      ? work.saved(at, ranking.order.slice(0, count)) / full
      : Math.max(0, through(xs, known, count)),
  );
  return { counts, errors, saved };
};

/**
 * How many units of each group go, so that the sum of the errors that the scan measured is as small as it can be while
 * `ratio` of the budget goes: exact, by dynamic programming over 4000 steps of the budget.
 *
 * @throws EspalierError `BAD_OPTION` where so much cannot go
 */
export const countsByScan = async (
  where: string,
  { groups }: Groups,
  rankings: readonly Ranking[],
  rows: readonly ScanRow[],
  options: AllocateOptions,
): Promise<number[]> => {
  const curves = groups.map((group, at) =>
    curveOf(
      at,
      group,
      rankings[at],
      rows.filter((row) => row.group === group.name),
      options,
    ),
  );
  const most = curves.map(({ saved }) => Math.max(...saved));
  const all = most.reduce((sum, value) => sum + value, 0);
  let [target, left] = [options.ratio, 1];
  for (let tried = 0; tried < TRIES && target <= all; tried++) {
    // what a choice costs is what it leaves of the most that its group can save
    const unit = Math.max(all - target, Number.EPSILON) / UNITS;
    const choices = curves.map(({ saved, errors }, at) =>
      saved.map((value, i) => ({ cost: Math.ceil((most[at] - value) / unit - 1e-9), error: errors[i] })),
    );
    const picked = allocate(choices, UNITS);
    if (!picked) break;
    const counts = picked.map((choice, at) => curves[at].counts[choice]);
    left = await options.left(counts);
    if (1 - left >= options.ratio) return counts;
    target = Math.max(target * 1.01, Math.min(all, (target * options.ratio) / Math.max(1 - left, options.ratio / 2)));
  }
  throw tooMuch(where, options.ratio, 1 - left, options.budget);
};

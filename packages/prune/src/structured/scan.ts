import {
  type Context,
  checkAborted,
  type Feeds,
  fidelityOf,
  type Groups,
  isFloatType,
  type Model,
  measureLatency,
  measureSize,
  openSession,
  type Session,
} from "@espalier/core";
import { leastOf } from "./choose-units.ts";
import type { UnitRemovals } from "./reconstruct.ts";
import type { Ranking } from "./scores.ts";

/** What a group costs and saves when it alone loses units. */
export interface ScanRow {
  readonly group: string;
  readonly size: number;
  /** How many units went. */
  readonly gone: number;
  /** Σ over the model's outputs of ‖y' - y‖² / ‖y‖² on the first samples. */
  readonly error: number;
  /** Bytes of the model, and its latency against the whole model where that was asked for. */
  readonly bytes: number;
  readonly latency?: number;
}

/** Rows that were measured before, by a text that tells everything that they depend on. May be kept as JSON. */
export interface ScanCache {
  get(key: string): ScanRow | undefined;
  set(key: string, row: ScanRow): unknown;
}

export interface ScanOptions {
  readonly where: string;
  /** Whether latency is measured too. */
  readonly latency: boolean;
  readonly multiple: number;
  readonly keep: number;
  readonly cache?: ScanCache;
  /** What the cache's keys begin with. */
  readonly key: string;
  build(removals: UnitRemovals): Promise<Model>;
}

/** Shares of its units that each group loses in turn. */
const SHARES = [1 / 8, 1 / 4, 1 / 2, 3 / 4];
const SAMPLES = 4;
const ROUNDS = 9;

const firstFeeds = async ({ calibration }: Context): Promise<readonly Feeds[]> => {
  const found: Feeds[] = [];
  for await (const feeds of calibration!()) {
    found.push(feeds);
    if (found.length === SAMPLES) break;
  }
  return found;
};

const run = async (session: Session, feeds: readonly Feeds[]) => {
  const found = [];
  for (const each of feeds) found.push(await session.run(each));
  return found;
};

type Outputs = Awaited<ReturnType<typeof run>>;

const errorOf = (expected: Outputs, found: Outputs): number => {
  let error = 0;
  for (const [name, { type }] of Object.entries(expected[0])) {
    if (!isFloatType(type)) continue;
    const sums = fidelityOf({ classes: false, name });
    for (const [i, values] of expected.entries()) sums.add(values[name], found[i][name]);
    error += sums.result().relativeL2 ** 2;
  }
  return error;
};

/** Counts of units that go, smallest first: multiples, and no more than may. */
const countsFor = (group: Groups["groups"][number], options: ScanOptions): number[] => {
  const least = leastOf(group, options);
  const counts = SHARES.map((share) => Math.min(group.size - least, Math.ceil(share * group.size)));
  return [...new Set(counts)].filter((count) => count > 0);
};

/**
 * How much worse the model's outputs become as each group alone loses an eighth, a quarter, half and three quarters of its
 * units, the first of its ranking: a row for each, also in the report. Groups without a ranking are left out.
 */
export const scanGroups = async (
  model: Model,
  { groups }: Groups,
  rankings: readonly Ranking[],
  ctx: Context,
  options: ScanOptions,
): Promise<readonly ScanRow[]> => {
  const { where, cache, key, build, latency } = options;
  const { ort, threads, signal } = ctx;
  const onThreads = threads === undefined ? {} : { threads };
  const feeds = await firstFeeds(ctx);
  const original = await openSession(ort!, model, onThreads);
  const expected = await run(original, feeds);
  await original.release();
  const measure = async (small: Model): Promise<Omit<ScanRow, "group" | "size" | "gone">> => {
    const session = await openSession(ort!, small, onThreads);
    const error = errorOf(expected, await run(session, feeds));
    await session.release();
    const { bytes } = measureSize(small);
    if (!latency) return { error, bytes };
    const timed = { before: model, after: small, feeds: feeds.slice(0, 1), ort: ort!, rounds: ROUNDS };
    return { error, bytes, latency: (await measureLatency({ ...timed, ...onThreads })).ratio };
  };
  const rows: ScanRow[] = [];
  const ranked = groups.flatMap((group, at) => (rankings[at].order.length > 0 ? [{ group, at }] : []));
  const task = `${where}: scan`;
  ctx.progress({ kind: "start", task, total: ranked.length });
  for (const [done, { group, at }] of ranked.entries()) {
    for (const gone of countsFor(group, options)) {
      checkAborted(where, signal);
      const units = rankings[at].order.slice(0, gone);
      if (units.length < gone) continue;
      const known = `${key} ${group.name} ${units.join()}${latency ? " latency" : ""}`;
      const row = cache?.get(known) ?? {
        group: group.name,
        size: group.size,
        gone,
        ...(await measure(await build(new Map([[group, units]])))),
      };
      cache?.set(known, row);
      rows.push(row);
      ctx.report({
        pass: where,
        layer: group.name,
        action: "note",
        form: `${gone} of ${group.size} ${group.kind} alone`,
        reason: `scan: error ${row.error.toPrecision(3)}, ${row.bytes} bytes${row.latency === undefined ? "" : `, latency ${row.latency.toFixed(3)}`}`,
      });
    }
    ctx.progress({ kind: "step", task, done: done + 1, total: ranked.length, note: group.name });
  }
  ctx.progress({ kind: "end", task });
  return rows;
};

import type { Level, Row, WasmVariant } from "../op.ts";
import type { ProbeReport } from "../probe/probe.ts";
import type { Arena } from "./arena.ts";
import { calibrate } from "./calibrate.ts";
import { compile, type Kernel } from "./compile.ts";
import { makeSelfTest } from "./self-test.ts";

/** The most that may be used, or per op a level or the name of a variant. */
export type Prefer = "reference" | Level | Readonly<Record<string, string>>;

/** One variant of an op, and what became of it. */
export interface Candidate {
  readonly variant: string;
  readonly level: "reference" | Level;
  readonly state: "chosen" | "slower" | "failed" | "unavailable" | "not asked for" | "not needed";
  readonly reason?: string;
  /** On the op's sample. */
  readonly microseconds?: number;
}

/** What an op runs on, and why. JSON. */
export interface Choice {
  readonly op: string;
  readonly variant: string;
  readonly level: "reference" | Level;
  readonly why: string;
  readonly candidates: readonly Candidate[];
}

export interface Picked {
  readonly choice: Choice;
  /** None: the reference. */
  readonly kernel?: Kernel;
}

export interface PickOptions {
  readonly prefer?: Prefer;
  /** Same bits on every machine: plain SIMD128 in the order of the table, unless an op is exact anyway. */
  readonly deterministic: boolean;
  /** Variants by op that an earlier run chose on such a machine. */
  readonly saved?: Readonly<Record<string, string>>;
}

const REFERENCE = "reference";
const RANK = { reference: 0, simd: 1, relaxed: 2 } as const;

interface Trial {
  readonly variant: WasmVariant;
  state: Candidate["state"];
  reason?: string;
  microseconds?: number;
  kernel?: Kernel;
}

const asksFor = (prefer: Prefer | undefined, op: string, { name, level }: WasmVariant): boolean => {
  const wish = typeof prefer === "object" ? prefer[op] : prefer;
  if (wish === undefined) return true;
  if (wish === name) return true;
  return wish in RANK && RANK[level] <= RANK[wish as Level];
};

const missing = ({ simd, relaxed }: ProbeReport, { level, dot }: WasmVariant): string | undefined => {
  if (!simd) return "this engine has no SIMD128";
  if (level === "relaxed" && !relaxed.available) return `no relaxed SIMD: ${relaxed.reason}`;
  return dot && relaxed.dot !== dot ? `the relaxed dot is ${relaxed.dot} here` : undefined;
};

/**
 * Chooses what an op runs on. Of the variants that are asked for and available, each proves itself against the reference;
 * if more than one is left they are timed on the op's sample. Where none is left, the reference does the work.
 */
export const pick = (row: Row, arena: Arena, report: ProbeReport, options: PickOptions): Picked => {
  const { op } = row;
  const { prefer, deterministic, saved } = options;
  const trials: Trial[] = row.wasm.map((variant) => ({ variant, state: "slower" }));
  const drop = (trial: Trial, state: Candidate["state"], reason: string) => Object.assign(trial, { state, reason });
  for (const trial of trials) {
    const lack = missing(report, trial.variant);
    if (!asksFor(prefer, op.name, trial.variant)) drop(trial, "not asked for", "prefer says so");
    else if (lack) drop(trial, "unavailable", lack);
    else if (deterministic && op.tolerance !== "exact" && trial.variant.level !== "simd")
      drop(trial, "not asked for", "deterministic: its rounding depends on the machine");
  }

  const selfTest = makeSelfTest(row, arena);
  /** Compiles and proves a variant. */
  const ready = (trial: Trial): boolean => {
    try {
      trial.kernel = compile(trial.variant, arena.memory);
      const difference = selfTest(trial.kernel);
      if (difference === undefined) return true;
      drop(trial, "failed", difference);
    } catch (error) {
      drop(trial, "failed", String(error));
    }
    return false;
  };

  const open = trials.filter(({ state }) => state === "slower");
  const restored = open.find(({ variant }) => variant.name === saved?.[op.name]);
  let best: Trial | undefined;
  let why = "";
  if (restored && ready(restored)) [best, why] = [restored, "as saved"];
  else if (deterministic && op.tolerance !== "exact") [best, why] = [open.find(ready), "first of the table"];
  else {
    const [spare, first] = [true, false].map((wanted) =>
      open.filter((trial) => trial !== restored && Boolean(trial.variant.spare) === wanted),
    ) as [Trial[], Trial[]];
    const proven = first.filter(ready);
    if (proven.length === 0) proven.push(...spare.filter(ready));
    else for (const trial of spare) drop(trial, "not needed", "a faster kind is there");
    if (proven.length > 1) {
      const times = calibrate(
        row,
        arena,
        proven.map(({ kernel }) => kernel!),
      );
      for (const [i, trial] of proven.entries()) trial.microseconds = times[i]!;
      best = proven[times.indexOf(Math.min(...times))];
      why = `fastest of ${proven.length} on the sample`;
    } else [best, why] = [proven[0], "the only one that is left"];
  }

  if (best) best.state = "chosen";
  const candidates = trials.map(
    ({ variant, state, reason, microseconds }): Candidate => ({
      variant: variant.name,
      level: variant.level,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(microseconds === undefined ? {} : { microseconds }),
    }),
  );
  const choice: Choice = {
    op: op.name,
    variant: best?.variant.name ?? REFERENCE,
    level: best?.variant.level ?? REFERENCE,
    why: best ? why : "no fast kernel is left",
    candidates,
  };
  return { choice, kernel: best?.kernel };
};

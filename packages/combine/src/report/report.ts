import type { Fidelity, Latency, ReportEntry } from "@espalier/core";
import type { Budget, Target } from "../recipe/recipe.ts";

/** What `evaluate` of a data module resolves to; the first is the one that a budget is about. */
export type Metrics = Readonly<Record<string, { readonly value: number; readonly better: "lower" | "higher" }>>;

export interface Sizes {
  /** Of all files. */
  readonly bytes: number;
  /** After brotli, as a server would send it; absent where not measured. */
  readonly brotli?: number;
}

/** One line about a layer. */
export type LayerEntry = ReportEntry;

/** A recipe that a search tried. */
export interface CandidateRow {
  readonly recipe: string;
  readonly bytes?: number;
  readonly latencyRatio?: number;
  readonly fidelity?: Readonly<Record<string, Fidelity>>;
  readonly metrics?: Metrics;
  /**
   * `chosen`; `good`: keeps the budget and is larger; `over`: does not keep it; `failed`: could not be made or run;
   * `skipped`: not tried, as it would be the same or could not be chosen.
   */
  readonly verdict: "chosen" | "good" | "over" | "failed" | "skipped";
  readonly reason?: string;
}

/** What was done and what it changed, as plain JSON (infinities become null). What was not measured is absent. */
export interface Report {
  readonly input: Sizes;
  readonly output: Sizes;
  /** Name of the recipe that made the output. */
  readonly recipe: string;
  readonly target: Target;
  readonly layers: readonly LayerEntry[];
  /** All recipes that a search tried, in the order of trial; absent for a plain recipe. */
  readonly candidates?: readonly CandidateRow[];
  /** What fidelity and latency were measured on. */
  readonly data?: "given" | "generated";
  /** Of each output, against the model that came in. */
  readonly fidelity?: Readonly<Record<string, Fidelity>>;
  readonly metrics?: { readonly before: Metrics; readonly after: Metrics };
  readonly latency?: Latency;
  /** What the result was held to, and whether it holds. */
  readonly budget: Budget;
  readonly met: boolean;
  /** Stopped by the signal: the best so far. */
  readonly stopped: boolean;
  readonly seconds: number;
  /** Of the whole process; Node only. */
  readonly peakRssBytes?: number;
  readonly warnings: readonly string[];
}

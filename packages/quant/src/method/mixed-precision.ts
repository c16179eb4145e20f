import {
  type Context,
  definePass,
  EspalierError,
  type GramStats,
  gramObserver,
  layers,
  type Model,
  measureSize,
  observe,
  type Pass,
  runPass,
  type Selection,
  sizeOf,
} from "@espalier/core";
import { type FrontPoint, paretoFront } from "../search/allocate-bits.ts";
import { adaRound } from "./ada-round.ts";
import { type LayerOption, optionsOfLayers, plain, withLatencies, withModelErrors } from "./layer-options.ts";
import { rtn } from "./rtn.ts";
import { signRound } from "./sign-round.ts";
import type { RtnOptions } from "./weight-pass.ts";

const methods = { rtn, adaRound, signRound } as const;

/** What the sum of costs must keep; one of them. */
export interface MixedBudget {
  /** Bytes of the whole file. */
  readonly bytes?: number;
  /** Mean stored bits of a weight, scales counted, over the layers that have a choice. */
  readonly bits?: number;
  /** Median time of a run against the model as it was. */
  readonly latency?: number;
}

export interface MixedPrecisionOptions extends Selection {
  /** Ways to store a layer, options of the method; to leave it as it is is always one more. */
  readonly choices?: readonly Omit<RtnOptions, "skip" | "only">[];
  readonly budget?: MixedBudget;
  /**
   * What a layer's error is: of its output on calibration data, in shares of the output; the same by the mean of the Gram
   * matrix's diagonal alone; or the divergence of the whole model's outputs with this layer alone changed.
   */
  readonly sensitivity?: "output" | "trace" | "kl";
  /** How the weights are rounded once the bits are chosen. */
  readonly method?: keyof typeof methods | ((options: RtnOptions) => Pass);
  /** Is given what can be had for which cost, the chosen point among it. */
  readonly onFront?: (front: readonly FrontPoint[], chosen: FrontPoint) => void;
}

const NAME = "quant/mixed-precision";
/** Costs are counted in so many units at most, so that there are no more points than that. */
const UNITS = 2 ** 16;
const BYTE = 8;
const usualChoices = [{ bits: 8 }, { bits: 4 }] as const;

const badBudget = (message: string) => new EspalierError("BAD_OPTION", NAME, message);

/** What costs are counted in, so that they are whole numbers, rounded up, and not too many. */
const unitOf = (options: readonly (readonly LayerOption[])[], limit: number): number => {
  const most = options.reduce((sum, own) => sum + Math.max(...own.map(({ cost }) => cost)), 0);
  return Math.max(1, Math.ceil(Math.min(most, limit) / UNITS));
};

const weightsOf = (model: Model, found: ReadonlyMap<string, unknown>): number =>
  layers(model).reduce((sum, { name, weight }) => sum + (found.has(name) ? sizeOf(weight.dims) : 0), 0);

/**
 * Mixed precision: a width (and block, and form) for each layer, so that the sum of the layers' errors is least under a
 * budget. Errors of layers are taken apart, by rounding to nearest; the choice is exact, by dynamic programming over
 * whole costs, see `paretoFront`; then `method` rounds the layers of each choice. Sources: SPEC Q-19; arXiv:1911.03852
 * for the Pareto front and the trace.
 *
 * @throws EspalierError `BAD_OPTION` for a budget that even the smallest choices exceed, naming the least that will do
 */
export const mixedPrecision = ({
  choices = usualChoices,
  budget = { bits: 5 },
  sensitivity = "output",
  method = "rtn",
  onFront,
  skip,
  only,
}: MixedPrecisionOptions = {}): Pass => {
  const make = typeof method === "function" ? method : methods[method];
  const given = Object.entries(budget).filter(([, value]) => value !== undefined);
  const [limit] = given;
  if (given.length !== 1 || !limit || !(Number(limit[1]) > 0))
    throw badBudget(`budget is ${JSON.stringify(budget)}. Give one of bytes, bits and latency, above 0.`);
  if (choices.length === 0) throw badBudget("choices is empty. Give options of rtn, such as { bits: 4 }.");

  const apply = async (model: Model, ctx: Context): Promise<Model> => {
    const stats =
      sensitivity === "kl" ? new Map<string, GramStats>() : await observe<GramStats>(model, gramObserver(), ctx);
    const trace = sensitivity === "trace";
    let found = await optionsOfLayers(NAME, model, ctx, { choices, skip, only, trace, stats });
    if (found.size === 0) {
      ctx.report({ pass: NAME, layer: "", action: "note", reason: "no layer has a smaller form" });
      return model;
    }
    if (sensitivity === "kl") found = await withModelErrors(NAME, model, ctx, choices, found);
    const stored = [...found.values()].reduce((sum, own) => sum + own[0]!.bytes, 0);
    let spend = (budget.bytes ?? 0) - (measureSize(model).bytes - stored);
    if (budget.bits !== undefined) spend = (budget.bits * weightsOf(model, found)) / BYTE;
    if (budget.latency !== undefined) {
      const timed = await withLatencies(NAME, model, ctx, choices, found, budget.latency);
      [found, spend] = [timed.options, timed.budget];
    }
    const options = [...found.values()];
    const unit = unitOf(options, spend);
    const front = paretoFront(
      options.map((own) => own.map(({ cost, error }) => ({ cost: Math.ceil(cost / unit), error }))),
      Math.floor(spend / unit),
    ).map((point) => ({ ...point, cost: point.cost * unit }));
    const chosen = front.at(-1);
    if (!chosen) {
      const least = options.reduce((sum, own) => sum + Math.min(...own.map(({ cost }) => cost)), 0);
      throw badBudget(
        `the smallest choices of all layers cost ${Math.ceil(least)}, and the budget leaves ${Math.floor(spend)}. Raise it, or give smaller choices.`,
      );
    }
    onFront?.(front, chosen);
    const names = [...found.keys()];
    const pickOf = (layer: number) => options[layer]![chosen.picks[layer]!]!;
    for (const [l, layer] of names.entries())
      if (pickOf(l).choice < 0)
        ctx.report({ pass: NAME, layer, action: "skipped", reason: "the budget lets it stay as it is" });
    let made = model;
    for (const [index, choice] of choices.entries()) {
      const own = new Set(names.filter((_, l) => pickOf(l).choice === index));
      if (own.size === 0) continue;
      const pass = make({ ...plain, ...choice, only: ({ name }) => own.has(name) });
      const report: Context["report"] = (entry) => {
        if (own.has(entry.layer)) ctx.report({ ...entry, pass: NAME });
      };
      made = await runPass(made, pass, { ...ctx, report });
    }
    return made;
  };
  return definePass({ name: NAME, stage: "quantize", traits: { needs: ["calibration", "ort"] }, apply });
};

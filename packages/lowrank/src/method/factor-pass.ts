import {
  type Context,
  checkAborted,
  definePass,
  type Layer,
  type LayerObserver,
  layers,
  type Model,
  type Pass,
  type PassKernels,
  type Selection,
  unselected,
} from "@espalier/core";
import { type Matrix, matrix } from "@espalier/core/linalg";
import { badOption } from "../errors.ts";
import { factoredSize, largestUsefulRank } from "../factor/factors.ts";
import { type Metric, type Spectral, weightedSvd } from "../factor/weighted-svd.ts";
import { type Factored, putFactors } from "../graph/put-factors.ts";
import { matricesOf, type Shape, shapeOf } from "../graph/shape.ts";
import { rankOf, ranksInBudget } from "../rank/choose-ranks.ts";
import { type RankOptions, type RankRule, rankRule } from "../rank/rank-options.ts";
import { type Unit, unitsOf } from "./units.ts";

export interface FactorOptions extends RankOptions, Selection {
  /** Linear layers that meet the same input (query, key and value) get one first factor in common. */
  readonly together?: boolean;
}

/** What tells the methods apart: the metric in which a layer's error is made smallest. */
export interface Method<Stats> {
  readonly name: string;
  readonly observe?: LayerObserver<Stats>;
  /** The metric of one group of a layer, or the reason why the layer is left alone. */
  metric(
    layer: Layer,
    shape: Shape,
    group: number,
    stats: Stats | undefined,
  ): Metric | string | Promise<Metric | string>;
  /** What is done to the factored model at the end, given the layers that were factored, in their order. */
  finish?(model: Model, made: Model, layers: readonly Layer[], ctx: Context): Promise<Model>;
}

/** A layer, or some, on the way to being factored. */
interface Work {
  readonly unit: Unit;
  readonly spectra: readonly Spectral[];
  readonly errors: Float64Array;
}

const sumErrors = (spectra: readonly Spectral[]): Float64Array => {
  const sum = spectra[0].errors.slice();
  for (const { errors } of spectra.slice(1))
    errors.forEach((error, r) => {
      sum[r] += error;
    });
  return sum;
};

const joined = (parts: readonly Float32Array[]): Float32Array => {
  if (parts.length === 1) return parts[0];
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

/** Matrices of the layers of a unit, one above the other. */
const readUnit = async ({ layers: members, shapes }: Unit): Promise<Matrix[] | undefined> => {
  const read = await Promise.all(members.map((layer, i) => matricesOf(layer, shapes[i])));
  if (read.some((found) => found === undefined)) return undefined;
  if (read.length === 1) return read[0];
  const parts = read.map((found) => found![0]);
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const stack = matrix(rows, parts[0].columns);
  let at = 0;
  for (const { data } of parts) {
    stack.data.set(data, at);
    at += data.length;
  }
  return [stack];
};

const metricsOf = async <Stats>(
  method: Method<Stats>,
  { layers: members, shapes, groups }: Unit,
  stats: ReadonlyMap<string, Stats>,
): Promise<Metric[] | string> => {
  const found: Metric[] = [];
  for (let group = 0; group < groups; group++) {
    const each: Metric[] = [];
    for (const [i, layer] of members.entries()) {
      const metric = await method.metric(layer, shapes[i], group, stats.get(layer.name));
      if (typeof metric === "string") return metric;
      each.push(metric);
    }
    // The input is the same for all members; the weights of the outputs stand one after the other.
    const left = each[0].left && Float64Array.from(each.flatMap(({ left: part }) => [...part!]));
    found.push({ ...each[0], ...(left && { left }) });
  }
  return found;
};

const factored = ({ unit, spectra }: Work, rank: number): Factored => {
  const each = spectra.map((spectral) => spectral.factors(rank));
  let row = 0;
  const ups =
    unit.layers.length === 1
      ? [joined(each.map(({ up }) => up))]
      : unit.shapes.map(({ m }) => {
          row += m;
          return each[0].up.slice((row - m) * rank, row * rank);
        });
  return { layers: unit.layers, rank, groups: unit.groups, down: joined(each.map(({ down }) => down)), ups };
};

/** @throws EspalierError `BAD_OPTION` for a rank that no layer has */
const checkRank = (name: string, units: readonly Unit[], rule: RankRule) => {
  if (rule.kind !== "rank" || units.length === 0) return;
  const full = Math.max(...units.map(({ m, n }) => Math.min(m, n)));
  if (rule.rank > full)
    throw badOption(
      name,
      `rank is ${rule.rank}, and the layers have rank ${full} at most. Give a lower one, or a ratio.`,
    );
};

const analyse = async <Stats>(
  method: Method<Stats>,
  unit: Unit,
  rule: RankRule,
  stats: ReadonlyMap<string, Stats>,
  kernels: PassKernels | undefined,
): Promise<Work | string> => {
  const useful = largestUsefulRank(unit.m, unit.n);
  if (useful < 1) return `no rank saves anything in ${unit.m} × ${unit.n}`;
  if (rule.kind === "ratio" || rule.kind === "rank") {
    const rank = rankOf(unit, rule);
    if (typeof rank === "string") return rank;
  }
  const metrics = await metricsOf(method, unit, stats);
  if (typeof metrics === "string") return metrics;
  const matrices = await readUnit(unit);
  if (!matrices) return "its weights are not all finite";
  const spectra = matrices.map((w, group) => weightedSvd(w, metrics[group], useful, kernels));
  return { unit, spectra, errors: sumErrors(spectra) };
};

const FLOAT_BYTES: Readonly<Record<string, number>> = { float64: 8, float32: 4, float16: 2, bfloat16: 2 };

/** Makes a pass of a metric: reads, decomposes, chooses ranks, and puts the factors into the graph. */
export const factorPass = <Stats>(
  method: Method<Stats>,
  { together = false, skip, only, ...ranks }: FactorOptions,
): Pass<Stats> => {
  const { name } = method;
  const rule = rankRule(name, ranks);
  const reasonOf = unselected({ skip, only });
  // what can be gained by no rank is not worth statistics: depthwise convolutions, above all
  const observed = (layer: Layer): boolean => {
    const shape = reasonOf(layer) ?? shapeOf(layer);
    return typeof shape !== "string" && largestUsefulRank(shape.m, shape.n) >= 1;
  };
  const observer: LayerObserver<Stats> | undefined = method.observe && {
    ...method.observe,
    init: (layer) => (observed(layer) ? method.observe!.init(layer) : undefined),
  };
  const apply = async (model: Model, ctx: Context, stats: ReadonlyMap<string, Stats>): Promise<Model> => {
    const report = (
      members: readonly Layer[],
      entry: { reason: string } | { form: string; before: number; after: number },
    ) => {
      for (const { name: layer } of members)
        ctx.report(
          "reason" in entry
            ? { pass: name, layer, action: "skipped", reason: entry.reason }
            : {
                pass: name,
                layer,
                action: "changed",
                form: entry.form,
                bytesBefore: entry.before,
                bytesAfter: entry.after,
              },
        );
    };
    const all = layers(model);
    const units = unitsOf(all, together, reasonOf, (layer, reason) => report([layer], { reason }));
    checkRank(name, units, rule);
    const finish = (work: Work, rank: number | string): Factored[] => {
      const { layers: members, m, n, groups } = work.unit;
      if (typeof rank === "string") {
        report(members, { reason: rank });
        return [];
      }
      const bytes = FLOAT_BYTES[members[0].weight.tensor.type] * groups;
      const form = `rank ${rank} of ${Math.min(m, n)}${members.length > 1 ? `, together with ${members.length - 1}` : ""}`;
      const share = bytes / members.length;
      report(members, { form, before: share * m * n, after: share * factoredSize(m, n, rank) });
      return [factored(work, rank)];
    };
    const done: Factored[] = [];
    const waiting: Work[] = [];
    ctx.progress({ kind: "start", task: name, total: units.length });
    for (const [index, unit] of units.entries()) {
      checkAborted(name, ctx.signal);
      const work = await analyse(method, unit, rule, stats, ctx.kernels);
      if (typeof work === "string") report(unit.layers, { reason: work });
      else if (rule.kind === "budget") waiting.push(work);
      else done.push(...finish(work, rankOf({ ...unit, errors: work.errors }, rule)));
      ctx.progress({ kind: "step", task: name, done: index + 1, total: units.length, note: unit.layers[0].name });
    }
    if (rule.kind === "budget" && waiting.length > 0) {
      const candidates = waiting.map(({ unit, errors }) => ({ ...unit, errors }));
      const chosen = ranksInBudget(name, candidates, rule.share);
      waiting.forEach((work, i) => {
        done.push(...finish(work, chosen[i]));
      });
    }
    ctx.progress({ kind: "end", task: name });
    const made = putFactors(model, done);
    if (!method.finish || done.length === 0) return made;
    const order = new Map(all.map((layer, i) => [layer.name, i]));
    const members = done.flatMap(({ layers: some }) => some).sort((a, b) => order.get(a.name)! - order.get(b.name)!);
    return method.finish(model, made, members, ctx);
  };
  return definePass<Stats>({
    name,
    stage: "factor",
    traits: { changesShapes: true },
    ...(observer && { observe: observer }),
    apply,
  });
};

import {
  type Context,
  checkAborted,
  definePass,
  type Group,
  groups,
  type Layer,
  type Model,
  type Pass,
  replaceWeights,
  type Selection,
  shrink,
  type Tensor,
  unselected,
  type WeightPlace,
} from "@espalier/core";
import { badOption } from "../errors.ts";
import { roundHalfEven } from "../half-even.ts";
import { multipleFor } from "../structured/choose-units.ts";
import { inputView } from "../structured/input-view.ts";
import { kneeOf, mergeUnits } from "../structured/merge.ts";
import { weightReader } from "../structured/read-weight.ts";
import { type Consumer, layersByWeight, openGroup, type UnitGroup } from "../structured/unit-group.ts";
import { checkSparsity } from "./prune-options.ts";

export interface MergeNeuronsOptions extends Selection {
  /** Share of the units of each group to merge into others; by default, as many as come before the knee of their saliencies. */
  readonly ratio?: number;
  /** What stays of an axis is a multiple of this. */
  readonly multiple?: number;
}

const NAME = "prune/merge-neurons";

/** What makes each unit: all of its weights, biases and scales in one row. */
const incomingOf = ({ group, slices }: UnitGroup): Float64Array[] =>
  Array.from({ length: group.size }, (_, unit) => Float64Array.from(slices.flatMap(({ of }) => [...of[unit]])));

/** What takes each unit in: its columns of all consumers in one row. */
const outgoingOf = ({ group, consumers }: UnitGroup): Float64Array[] =>
  Array.from({ length: group.size }, (_, unit) =>
    Float64Array.from(
      consumers.flatMap(({ rows, columns, w, units }) =>
        units[unit].flatMap((c) => Array.from({ length: rows }, (_row, row) => w[row * columns + c])),
      ),
    ),
  );

const putOutgoing = (consumers: readonly Consumer[], outgoing: readonly Float64Array[]): void => {
  for (const [unit, values] of outgoing.entries()) {
    let at = 0;
    for (const { rows, columns, w, units } of consumers)
      for (const c of units[unit]) for (let row = 0; row < rows; row++, at++) w[row * columns + c] = values[at];
  }
};

/** How many units go: a share, or those before the knee; a multiple stays. */
const countFor = (group: Group, wanted: number, multiple: number): number => {
  const step = multipleFor(group, multiple);
  const stay = Math.max(step, Math.ceil((group.size - wanted) / step) * step);
  return Math.max(0, group.size - stay);
};

const MERGED: ReadonlySet<string> = new Set(["neurons", "channels"]);

/**
 * Merges neurons and channels that resemble each other, without data: of two units with like weights coming in, one goes, and
 * its outgoing weights are added to the other's. Exact for units that are equal; else the bound of `mergeUnits` holds
 * for activations with slopes of 1 at most. Fold the model first.
 *
 * Source: Srinivas & Babu 2015, "Data-free parameter pruning for deep neural networks", arXiv:1507.06149; for channels, the
 * same with whole filters for the weights (ours).
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, for weights that are not finite
 */
export const mergeNeurons = ({ ratio, multiple = 8, ...selection }: MergeNeuronsOptions = {}): Pass => {
  if (ratio !== undefined) checkSparsity(NAME, ratio, "ratio");
  if (!(Number.isInteger(multiple) && multiple >= 1)) throw badOption(NAME, `multiple is ${multiple}. Give 1, 8, 16 …`);
  const apply = async (model: Model, ctx: Context): Promise<Model> => {
    const byWeight = layersByWeight(model);
    const open = { byWeight, stats: new Map(), scales: new Set<string>(), read: weightReader(NAME, model) };
    const found = (await groups(model)).groups;
    const changes = new Map<Layer, Float32Array>();
    const removals = new Map<string, readonly number[]>();
    const why = unselected(selection);
    ctx.progress({ kind: "start", task: NAME, total: found.length });
    for (const [done, group] of found.entries()) {
      checkAborted(NAME, ctx.signal);
      ctx.progress({ kind: "step", task: NAME, done: done + 1, total: found.length, note: group.name });
      const skip = (reason: string) => ctx.report({ pass: NAME, layer: group.name, action: "skipped", reason });
      const makers = group.members.flatMap(({ role, weight }) =>
        role === "out" ? (byWeight.get(weight.name) ?? []) : [],
      );
      const reason = MERGED.has(group.kind)
        ? makers.map(why).find((each) => each !== undefined)
        : `its units are ${group.kind}: adding outgoing weights does not replace one`;
      const opened = reason === undefined ? await openGroup(group, open) : undefined;
      if (!opened) {
        skip(reason!);
        continue;
      }
      const { consumers } = opened;
      if (consumers.length !== group.members.filter(({ role }) => role === "in").length) {
        skip("a layer that takes its units in has no matrix to add columns of");
        continue;
      }
      // columns that another group's merges changed
      const current = consumers.map((consumer) => {
        const layer = [...byWeight.values()].find(({ name }) => name === consumer.name)!;
        return { layer, consumer: { ...consumer, w: changes.get(layer) ?? consumer.w } };
      });
      const now = { ...opened, consumers: current.map(({ consumer }) => consumer) };
      const outputs = now.consumers.reduce((sum, { rows }) => sum + rows, 0);
      const given = outgoingOf(now);
      const { steps } = mergeUnits(incomingOf(now), given, outputs, group.size - 1);
      const wanted = ratio === undefined ? kneeOf(steps.map(({ saliency }) => saliency)) : ratio * group.size;
      const count = countFor(group, roundHalfEven(wanted), multiple);
      if (count === 0) {
        skip(`none of its ${group.size} ${group.kind} can go with multiple ${multiple}`);
        continue;
      }
      const merged = mergeUnits(incomingOf(now), given, outputs, count);
      putOutgoing(now.consumers, merged.outgoing);
      for (const { layer, consumer } of current) changes.set(layer, consumer.w);
      removals.set(
        group.name,
        merged.steps.map(({ gone }) => gone),
      );
      const form = `${group.size - count} of ${group.size} ${group.kind} stay`;
      ctx.report({ pass: NAME, layer: group.name, action: "changed", form });
    }
    ctx.progress({ kind: "end", task: NAME });
    if (removals.size === 0) return model;
    const weights = [...changes].map(([layer, w]): [WeightPlace, Tensor] => [
      layer.weight,
      layer.weight.write(inputView(layer)!.fromRows(w)),
    ]);
    return shrink(replaceWeights(model, weights), removals);
  };
  return definePass({ name: NAME, stage: "structure", traits: { changesShapes: true }, apply });
};

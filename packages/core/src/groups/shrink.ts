import { tensorAttr } from "../attrs.ts";
import { edit } from "../edit/edit.ts";
import type { GraphDraft } from "../edit/graph-draft.ts";
import { EspalierError } from "../errors.ts";
import type { Group } from "../groups.ts";
import { replaceWeights } from "../layers/replace-weights.ts";
import type { Model, Node } from "../model.ts";
import { readData, sizeOf, type Tensor, type TensorData, tensor } from "../tensor.ts";
import type { Axis } from "./axis.ts";
import { type Followed, follow, type GroupOptions } from "./follow.ts";
import type { Shrunk } from "./trace.ts";
import { unitsOf } from "./units.ts";

/** Units to remove, by group or by its name; those of each as indices below its size. */
export type Removals = ReadonlyMap<Group | string, readonly number[]>;

interface Cut {
  readonly followed: Followed;
  readonly kept: (axis: Axis) => number[];
}

const bad = (message: string) => new EspalierError("BAD_OPTION", "core/groups", message);

/** The atoms that removals name. */
const atomsOf = (followed: Followed, removals: Removals): Set<number> => {
  const found = new Map(unitsOf(followed).map((group) => [group.name, group]));
  const atoms = new Set<number>();
  for (const [given, units] of removals) {
    const name = typeof given === "string" ? given : given.name;
    const group = found.get(name);
    if (!group)
      throw new EspalierError(
        "NOT_FOUND",
        "core/groups",
        `the model has no group "${name}". Take groups from groups() of this very model.`,
      );
    for (const unit of units) {
      const atom = group.atoms[unit];
      if (atom === undefined) throw bad(`group "${name}" has ${group.size} units, and unit ${unit} is named.`);
      atoms.add(atom);
    }
  }
  return atoms;
};

const open = async (model: Model, removals: Removals, options: GroupOptions): Promise<Cut | undefined> => {
  if ([...removals.values()].every((units) => units.length === 0)) return undefined;
  const followed = await follow(model, options);
  const removed = atomsOf(followed, removals);
  const known = new Map<Axis, number[]>();
  const kept = (axis: Axis): number[] => {
    const before = known.get(axis);
    if (before) return before;
    const units = axis.units ?? Array.from({ length: Number(axis.length) }, () => []);
    const found = units.flatMap((term, i) =>
      followed.terms.resolve(term).some((atom) => removed.has(atom)) ? [] : [i],
    );
    known.set(axis, found);
    return found;
  };
  for (const [value, { axes = [] }] of followed.values)
    for (const axis of axes)
      if (axis.units && kept(axis).length === 0)
        throw bad(`nothing would be left of an axis of "${value}". Leave one unit of each group at least.`);
  return { followed, kept };
};

/** Elements at the kept positions of each axis. */
const sliced = (data: TensorData, dims: readonly number[], keeps: readonly (readonly number[])[]): TensorData => {
  const out = (data as Float32Array).slice(0, sizeOf(keeps.map(({ length }) => length)));
  const steps = dims.map((_, i) => sizeOf(dims.slice(i + 1)));
  let at = 0;
  const walk = (axis: number, from: number): void => {
    if (axis === dims.length) {
      out[at++] = (data as Float32Array)[from];
      return;
    }
    for (const position of keeps[axis]) walk(axis + 1, from + position * steps[axis]);
  };
  walk(0, 0);
  return out;
};

/** The weights that lose positions, with the positions that stay of each axis. */
const changedWeights = ({ followed, kept }: Cut) =>
  followed.weights.flatMap((weight) => {
    const keeps = weight.axes.map((axis, i) =>
      axis.units ? kept(axis) : Array.from({ length: weight.tensor.dims[i] }, (_, position) => position),
    );
    return keeps.every(({ length }, i) => length === weight.tensor.dims[i]) ? [] : [{ ...weight, keeps }];
  });

const isConstant = (node: Node, name: string) =>
  node.domain === "" && node.opType === "Constant" && node.outputs[0] === name;

const put = (graph: GraphDraft, name: string, made: Tensor) => {
  if (graph.weights().has(name)) return graph.setWeight(name, made);
  const node = graph.nodes().find((each) => isConstant(each, name))!;
  graph.replace(node, { ...node, attributes: new Map([["value", tensorAttr(made)]]) });
};

/**
 * The model without the units that are named: their slices of every weight are gone, and the numbers that tell their
 * count (shapes, splits, groups, heads) are those of the rest. Its outputs are those of `mask` with the same removals.
 *
 * @throws EspalierError `NOT_FOUND` for groups the model does not have, `BAD_OPTION` where an axis would be left empty
 */
export const shrink = async (model: Model, removals: Removals, options: GroupOptions = {}): Promise<Model> => {
  const cut = await open(model, removals, options);
  if (!cut) return model;
  const { followed, kept } = cut;
  const made: [string, Tensor][] = [];
  for (const { place, tensor: given, keeps } of changedWeights(cut)) {
    const dims = keeps.map(({ length }) => length);
    made.push([place.name, tensor(given.type, dims, sliced(await readData(given), given.dims, keeps) as never)]);
  }
  const shorter = (name: string) =>
    (followed.values.get(name)?.axes ?? []).some((axis) => axis.units && kept(axis).length !== axis.length);
  return edit(model, ({ graph }) => {
    const shrunk: Shrunk = {
      kept,
      constant: (hint, value) => graph.addWeight(hint, value),
      add: (node) => graph.add(node),
      unique: (hint) => graph.uniqueName(hint),
    };
    for (const [name, value] of made) put(graph, name, value);
    for (const [node, fixes] of followed.fixes) {
      const next = fixes.reduce((now, change) => change(now, shrunk), node);
      if (next !== node) graph.replace(node, next);
    }
    graph.values = graph.values.filter(({ name }) => !shorter(name));
  });
};

/**
 * The model with 0 in every slice of the units that are named, of the same size as before: what `shrink` must equal.
 *
 * @throws EspalierError as `shrink`
 */
export const mask = async (model: Model, removals: Removals, options: GroupOptions = {}): Promise<Model> => {
  const cut = await open(model, removals, options);
  if (!cut) return model;
  const changes: [{ name: string; owner: Model["graph"] }, Tensor][] = [];
  for (const { place, tensor: given, keeps } of changedWeights(cut)) {
    if (cut.followed.unmasked.has(place.name)) continue;
    const data = (await readData(given)).slice() as Float32Array;
    const steps = given.dims.map((_, i) => sizeOf(given.dims.slice(i + 1)));
    const stays = keeps.map((positions) => new Set(positions));
    for (let i = 0; i < data.length; i++)
      if (stays.some((positions, axis) => !positions.has(Math.floor(i / steps[axis]) % given.dims[axis]))) data[i] = 0;
    changes.push([place, { ...tensor(given.type, given.dims, data as never) }]);
  }
  return replaceWeights(model, changes);
};

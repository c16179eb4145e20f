import {
  type Context,
  checkAborted,
  floatValues,
  type Group,
  type Layer,
  type Model,
  replaceWeights,
  shrink,
  type Tensor,
  tensor,
  type WeightPlace,
} from "@espalier/core";
import { linearAlgebra } from "@espalier/core/linalg";
import { inputView } from "./input-view.ts";
import { makeUp } from "./make-up.ts";
import { type MomentSums, momentsOf } from "./moments.ts";
import { DAMP } from "./output-error.ts";
import { putShifts } from "./put-shift.ts";
import { refit, type Solution } from "./refit.ts";
import { columnsOf, consumerLayer } from "./unit-group.ts";

/** Units that go, by group. */
export type UnitRemovals = ReadonlyMap<Group, readonly number[]>;

/** Columns that layers lose, in the order of the graph. */
const goneColumns = (removals: UnitRemovals, byWeight: ReadonlyMap<string, Layer>): ReadonlyMap<Layer, Set<number>> => {
  const gone = new Map<Layer, Set<number>>();
  for (const [group, units] of removals)
    for (const member of group.members) {
      const layer = consumerLayer(byWeight, member);
      const view = layer && inputView(layer);
      if (!layer || !view) continue;
      const set = gone.get(layer) ?? new Set<number>();
      gone.set(layer, set);
      const positions = units.flatMap((unit) => member.indices[unit]);
      for (const column of columnsOf(layer, view.columns, positions)) set.add(column);
    }
  return new Map([...byWeight.values()].flatMap((layer) => (gone.get(layer)?.size ? [[layer, gone.get(layer)!]] : [])));
};

/** Solutions of all layers at once, from what the original model hands them. */
const solutionsOf = async (
  gone: ReadonlyMap<Layer, ReadonlySet<number>>,
  stats: ReadonlyMap<string, MomentSums>,
  { kernels, signal }: Context,
  where: string,
): Promise<ReadonlyMap<Layer, Solution>> => {
  const algebra = linearAlgebra(kernels);
  const solutions = new Map<Layer, Solution>();
  for (const [layer, columns] of gone) {
    checkAborted(where, signal);
    const found = stats.get(layer.name);
    const view = inputView(layer)!;
    if (!found || found.n === 0) continue;
    const { gram, mean } = momentsOf(found);
    const w = view.toRows(await layer.weight.read());
    const made = makeUp(w, view.rows, gram, mean, columns, DAMP, algebra);
    const shift = new Float64Array(layer.weight.dims[0]);
    // taps of a transposed convolution fall on different places: no bias holds their shifts
    if (layer.node.opType !== "ConvTranspose")
      for (let row = 0; row < view.rows; row++) shift[Math.floor(row / view.taps)] += made.shift[row];
    solutions.set(layer, { w: made.w, shift });
  }
  return solutions;
};

const biasesOf = async (model: Model, layers: Iterable<Layer>): Promise<ReadonlyMap<string, Tensor<"float32">>> => {
  const found = new Map<string, Tensor<"float32">>();
  for (const { uses } of layers)
    for (const { node } of uses) {
      const bias = node.inputs[2] ? model.graph.weights.get(node.inputs[2]) : undefined;
      if (bias) found.set(node.inputs[2], tensor("float32", bias.dims, await floatValues(bias)));
    }
  return found;
};

export interface ReconstructOptions {
  readonly where: string;
  readonly byWeight: ReadonlyMap<string, Layer>;
  readonly stats: ReadonlyMap<string, MomentSums>;
  /** Fit layer after layer to what the pruned ones before it give. */
  readonly sequential: boolean;
}

/** The model without the units, the weights that took them in solved anew so that they make up for them. */
export const reconstruct = async (
  model: Model,
  removals: UnitRemovals,
  ctx: Context,
  { where, byWeight, stats, sequential }: ReconstructOptions,
): Promise<Model> => {
  const gone = goneColumns(removals, byWeight);
  const biases = await biasesOf(model, gone.keys());
  const names = new Map([...removals].map(([group, units]) => [group.name, units]));
  const build = async (solutions: ReadonlyMap<Layer, Solution>): Promise<Model> => {
    const weights = [...solutions].map(([layer, { w }]): [WeightPlace, Tensor] => [
      layer.weight,
      layer.weight.write(inputView(layer)!.fromRows(w)),
    ]);
    const shifts = [...solutions].flatMap(([layer, { shift }]) =>
      shift.some((value) => value !== 0) ? [{ layer, shift: Float32Array.from(shift) }] : [],
    );
    return shrink(putShifts(replaceWeights(model, weights), shifts, biases), names);
  };
  const first = await solutionsOf(gone, stats, ctx, where);
  return build(sequential && ctx.calibration ? await refit(model, first, ctx, { where, gone, build }) : first);
};

import {
  type GramStats,
  type Group,
  type GroupMember,
  gramOf,
  type Layer,
  layers,
  type Model,
  sizeOf,
} from "@espalier/core";
import type { Matrix } from "@espalier/core/linalg";
import { matrixView } from "../matrix-view.ts";

/** A weight that takes units in, as a matrix [rows, columns], with what it met in the data. */
export interface Consumer {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly w: Float32Array;
  /** Columns of each unit. */
  readonly units: readonly (readonly number[])[];
  /** [columns, columns], XᵀX / n about the mean; absent where the input was not observed. */
  readonly gram?: Matrix;
  /** [columns], mean of the input. */
  readonly mean?: Float64Array;
}

/** A group as scores see it. */
export interface UnitGroup {
  readonly group: Group;
  /** Weights that make the units: of each unit, its numbers in all of them. */
  readonly made: readonly (readonly Float32Array[])[];
  /** The same of what lies between: biases, scales and shifts of norms, by the name of the weight. */
  readonly along: ReadonlyMap<string, readonly Float32Array[]>;
  readonly consumers: readonly Consumer[];
}

/** Numbers of a weight at positions of one axis. */
const sliceOf = (values: Float32Array, dims: readonly number[], axis: number, positions: readonly number[]) => {
  const inner = sizeOf(dims.slice(axis + 1));
  const step = inner * dims[axis];
  const out = new Float32Array((values.length / dims[axis]) * positions.length);
  let at = 0;
  for (let from = 0; from < values.length; from += step)
    for (const position of positions) {
      out.set(values.subarray(from + position * inner, from + (position + 1) * inner), at);
      at += inner;
    }
  return out;
};

/** XᵀX / n and the mean of the rows; XᵀX about the mean. */
export const momentsOf = (stats: GramStats): { gram: Matrix; mean: Float64Array } => {
  const gram = gramOf(stats);
  const { n, columns } = stats;
  const mean = stats.sums.slice(0, columns).map((sum) => sum / n);
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < columns; j++) gram.data[i * columns + j] = gram.data[i * columns + j] / n - mean[i] * mean[j];
  return { gram, mean };
};

/** Columns of a layer's matrix that positions of its input axis are. */
export const columnsOf = (layer: Layer, columns: number, positions: readonly number[]): number[] => {
  const taps = columns / layer.weight.dims[1];
  return positions.flatMap((position) => Array.from({ length: taps }, (_, tap) => position * taps + tap));
};

/** The layer whose matrix a member's slices are columns of; undefined where there is none that meets rows. */
export const consumerLayer = (byWeight: ReadonlyMap<string, Layer>, member: GroupMember): Layer | undefined => {
  const layer = member.role === "in" ? byWeight.get(member.weight.name) : undefined;
  if (layer?.groups !== 1 || layer.weight.owner !== member.weight.owner) return undefined;
  const [, inputs] = layer.weight.dims;
  return layer.weight.tensor.dims[member.axis] === inputs ? layer : undefined;
};

export const layersByWeight = (model: Model): ReadonlyMap<string, Layer> =>
  new Map(layers(model).flatMap((layer) => (layer.path.length === 0 ? [[layer.weight.name, layer] as const] : [])));

/** Values of float weights, each read once. */
export type ReadWeight = (name: string) => Promise<{ dims: readonly number[]; values: Float32Array }>;

/** A group with the numbers of its weights. */
export const openGroup = async (
  group: Group,
  byWeight: ReadonlyMap<string, Layer>,
  stats: ReadonlyMap<string, GramStats>,
  read: ReadWeight,
): Promise<UnitGroup> => {
  const made: Float32Array[][] = Array.from({ length: group.size }, () => []);
  const along = new Map<string, Float32Array[]>();
  const consumers: Consumer[] = [];
  for (const member of group.members) {
    const { weight, axis, role, indices } = member;
    const layer = consumerLayer(byWeight, member);
    if (layer) {
      const view = matrixView(layer);
      const found = stats.get(layer.name);
      consumers.push({
        name: layer.name,
        rows: view.rows,
        columns: view.columns,
        w: view.toRows(await layer.weight.read()),
        units: indices.map((positions) => columnsOf(layer, view.columns, positions)),
        ...(found && found.n > 0 && momentsOf(found)),
      });
    }
    if (role === "in") continue;
    const { dims, values } = await read(weight.name);
    const slices = indices.map((positions) => sliceOf(values, dims, axis, positions));
    if (role === "out") for (const [unit, slice] of slices.entries()) made[unit].push(slice);
    else along.set(weight.name, slices);
  }
  return { group, made, along, consumers };
};

import { type Group, type GroupMember, type Layer, layers, type Model, sizeOf } from "@espalier/core";
import type { Matrix } from "@espalier/core/linalg";
import { inputView } from "./input-view.ts";
import { type MomentSums, momentsOf } from "./moments.ts";

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

/** What the units of a group have in one weight. */
export interface UnitSlices {
  readonly weight: string;
  /** `out`: rows that make the units; `along`: biases, scales and shifts of norms. */
  readonly role: "out" | "along";
  /** Whether it is the scale of a BatchNormalization. */
  readonly scale: boolean;
  /** Of each unit, its numbers. */
  readonly of: readonly Float32Array[];
  /** The same of an array as large as the weight: its gradient. */
  from(values: Float32Array): readonly Float32Array[];
}

/** A group as scores see it. */
export interface UnitGroup {
  readonly group: Group;
  readonly slices: readonly UnitSlices[];
  readonly consumers: readonly Consumer[];
}

/** Numbers of a weight at positions of one axis. */
const sliceOf = (values: Float32Array, dims: readonly number[], axis: number, positions: readonly number[]) => {
  const inner = sizeOf(dims.slice(axis + 1));
  const step = inner * dims[axis];
  const out = new Float32Array((values.length / (dims[axis] || 1)) * positions.length);
  let at = 0;
  for (let from = 0; from < values.length; from += step)
    for (const position of positions) {
      out.set(values.subarray(from + position * inner, from + (position + 1) * inner), at);
      at += inner;
    }
  return out;
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

export interface OpenOptions {
  readonly byWeight: ReadonlyMap<string, Layer>;
  readonly stats: ReadonlyMap<string, MomentSums>;
  /** Names of the scales of BatchNormalizations. */
  readonly scales: ReadonlySet<string>;
  readonly read: ReadWeight;
}

/** A group with the numbers of its weights. */
export const openGroup = async (group: Group, { byWeight, stats, scales, read }: OpenOptions): Promise<UnitGroup> => {
  const slices: UnitSlices[] = [];
  const consumers: Consumer[] = [];
  for (const member of group.members) {
    const { weight, axis, role, indices } = member;
    const layer = consumerLayer(byWeight, member);
    const view = layer && inputView(layer);
    if (layer && view) {
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
    const from = (numbers: Float32Array) => indices.map((positions) => sliceOf(numbers, dims, axis, positions));
    slices.push({ weight: weight.name, role, scale: scales.has(weight.name), of: from(values), from });
  }
  return { group, slices, consumers };
};

import type { WeightPlace } from "./layers/replace-weights.ts";

/**
 * What a unit is: a channel of convolutions, a neuron between two products, an attention head, one of the dimensions
 * that all heads of an attention have, a unit of a recurrent layer, a whole group of a grouped convolution.
 */
export type GroupKind = "channels" | "neurons" | "heads" | "headDims" | "recurrent" | "convGroups";

/** Slices of one weight that go with the units of a group. */
export interface GroupMember {
  readonly weight: WeightPlace;
  /** Axis of the weight's own tensor. */
  readonly axis: number;
  /** `out`: rows that make the units; `in`: columns that take them in; `along`: biases, norms, other constants. */
  readonly role: "out" | "in" | "along";
  /** Positions on the axis, for each unit. */
  readonly indices: readonly (readonly number[])[];
}

/** Units of one sort that can be removed one by one: each with everything that must go with it. */
export interface Group {
  /** The first node that makes the units, and the kind where a node has more than one. Unique, stable. */
  readonly name: string;
  readonly kind: GroupKind;
  /** How many units there are. One at least must stay. */
  readonly size: number;
  readonly members: readonly GroupMember[];
  /** Labels of the nodes whose weights make the units, and of those whose weights take them in. */
  readonly producers: readonly string[];
  readonly consumers: readonly string[];
}

/** An axis of a weight that cannot lose positions, or not all of them. */
export interface Stopped {
  readonly weight: string;
  readonly axis: number;
  /** How many of its positions stay for this reason. */
  readonly positions: number;
  /** The node, or the graph's input, that stops it. */
  readonly node: string;
  readonly reason: string;
}

/** Work of a node is proportional to the product of the lengths of some axes: what is left of it as units go. */
export interface GroupWork {
  /** Label of the node. */
  readonly node: string;
  /** For each such axis, every position: the units that take it away, `[group, unit]`. */
  readonly axes: readonly (readonly (readonly (readonly [group: number, unit: number])[])[])[];
}

export interface Groups {
  readonly groups: readonly Group[];
  readonly stopped: readonly Stopped[];
  readonly work: readonly GroupWork[];
}

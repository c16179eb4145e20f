import { labelOf } from "../graph.ts";
import type { Groups, GroupWork, Stopped } from "../groups.ts";
import type { Model } from "../model.ts";
import { type Followed, follow, type GroupOptions } from "./follow.ts";
import { type FoundGroup, unitsOf } from "./units.ts";

/** Positions of the weights of layers that stay, and why. */
const stoppedOf = ({ weights, uses, terms }: Followed): Stopped[] => {
  const used = new Set(uses.map(({ axis }) => axis));
  return weights.flatMap(({ place, axes }) =>
    axes.flatMap((axis, index) => {
      const found = new Map<string, Stopped>();
      for (const term of used.has(axis) ? (axis.units ?? []) : []) {
        const stops = terms.resolve(term).map(terms.stopOf);
        const stop = stops.find((each) => each !== undefined);
        if (!stop || stop.silent || stops.some((each) => each === undefined)) continue;
        const { node, reason } = stop;
        const key = `${node}\n${reason}`;
        const positions = (found.get(key)?.positions ?? 0) + 1;
        found.set(key, { weight: place.name, axis: index, positions, node, reason });
      }
      return [...found.values()];
    }),
  );
};

const workOf = ({ work, terms }: Followed, groups: readonly FoundGroup[]): GroupWork[] => {
  const units = new Map(
    groups.flatMap(({ atoms }, group) => atoms.map((atom, unit) => [atom, [group, unit] as const])),
  );
  return work.map(({ node, axes }) => ({
    node: labelOf(node),
    axes: axes.flatMap(({ units: positions }) =>
      positions
        ? [positions.map((term) => terms.resolve(term).flatMap((atom) => (units.has(atom) ? [units.get(atom)!] : [])))]
        : [],
    ),
  }));
};

/**
 * Every unit of a model that can be removed with all that is coupled to it: channels, neurons, attention heads with
 * the keys and values that they share, dimensions of heads, recurrent units, groups of convolutions. Found on the graph
 * alone: axes are followed position by position through products, convolutions, sums, reshapes, concatenation and the
 * other operators, and what does not fit, or reaches an output of the model, stays and is reported with the node that
 * stops it.
 *
 * A unit is removed by `shrink`, or set to 0 by `mask`: both models give the same outputs. Subgraphs are left alone.
 */
export const groups = async (model: Model, options: GroupOptions = {}): Promise<Groups> => {
  const followed = await follow(model, options);
  const found = unitsOf(followed);
  return {
    groups: found.map(({ atoms, ...group }) => group),
    stopped: stoppedOf(followed),
    work: workOf(followed, found),
  };
};

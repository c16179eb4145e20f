import { labelOf } from "../graph.ts";
import type { Group, GroupKind, GroupMember } from "../groups.ts";
import type { Axis } from "./axis.ts";
import type { Followed, Use } from "./follow.ts";

/** Positions on the axes of weights, by atom, then by weight and axis. */
type Places = Map<number, Map<string, number[]>>;

export interface FoundGroup extends Group {
  /** The atom of each unit. */
  readonly atoms: readonly number[];
}

const placeKey = (weight: number, axis: number) => `${weight} ${axis}`;

const placesOf = ({ weights, terms }: Followed): Places => {
  const places: Places = new Map();
  for (const [at, { axes }] of weights.entries())
    for (const [index, { units }] of axes.entries())
      for (const [position, term] of (units ?? []).entries())
        for (const atom of terms.resolve(term)) {
          if (terms.stopOf(atom)) continue;
          const own = places.get(atom) ?? new Map<string, number[]>();
          places.set(atom, own);
          const key = placeKey(at, index);
          const positions = own.get(key);
          if (positions) positions.push(position);
          else own.set(key, [position]);
        }
  return places;
};

const atomsOf = ({ terms }: Followed, { units }: Axis): Set<number> =>
  new Set((units ?? []).flatMap((term) => terms.resolve(term)));

const usesByAtom = (followed: Followed): Map<number, Use[]> => {
  const found = new Map<number, Use[]>();
  for (const use of followed.uses)
    for (const atom of atomsOf(followed, use.axis)) {
      const list = found.get(atom);
      if (list) list.push(use);
      else found.set(atom, [use]);
    }
  return found;
};

/** What product of activations, or operator in groups, gives an atom its kind. */
const kindsByAtom = (followed: Followed): Map<number, GroupKind> => {
  const found = new Map<number, GroupKind>();
  for (const { axis, kind } of followed.kinds)
    for (const atom of atomsOf(followed, axis)) if (found.get(atom) !== "heads") found.set(atom, kind);
  return found;
};

const labels = (uses: readonly Use[], role: Use["role"]): string[] => [
  ...new Set(uses.filter((use) => use.role === role).map(({ node }) => labelOf(node))),
];

/** Units that can be removed, in groups of those that have slices of the same weights, as many of each. */
export const unitsOf = (followed: Followed): FoundGroup[] => {
  const [places, uses, kinds] = [placesOf(followed), usesByAtom(followed), kindsByAtom(followed)];
  const kindOf = (atom: number): GroupKind =>
    kinds.get(atom) ?? (uses.get(atom)!.find(({ role }) => role === "out") ?? uses.get(atom)![0]).kind;
  const alike = new Map<string, number[]>();
  for (const [atom, own] of places) {
    if (!uses.has(atom)) continue;
    const key = [kindOf(atom), ...[...own].map(([place, at]) => `${place} ${at.length}`)].join();
    const list = alike.get(key);
    if (list) list.push(atom);
    else alike.set(key, [atom]);
  }
  const roles = new Map(followed.uses.map(({ axis, role }) => [axis, role]));
  const taken = new Set<string>();
  return [...alike.values()].map((atoms): FoundGroup => {
    const own = [...new Set(atoms.flatMap((atom) => uses.get(atom)!))];
    const producers = labels(own, "out");
    const kind = kindOf(atoms[0]);
    const members = [...places.get(atoms[0])!.keys()].map((key): GroupMember => {
      const [weight, axis] = key.split(" ").map(Number);
      const { place, axes } = followed.weights[weight];
      return {
        weight: place,
        axis,
        role: roles.get(axes[axis]) ?? "along",
        indices: atoms.map((atom) => places.get(atom)!.get(key)!),
      };
    });
    const consumers = labels(own, "in");
    return {
      name: nameFor(producers[0] ?? consumers[0], kind, taken),
      kind,
      size: atoms.length,
      members,
      producers,
      consumers,
      atoms,
    };
  });
};

const nameFor = (label: string, kind: GroupKind, taken: Set<string>): string => {
  for (let n = 0; ; n++) {
    const name = n === 0 ? label : n === 1 ? `${label}:${kind}` : `${label}:${kind}:${n}`;
    if (taken.has(name)) continue;
    taken.add(name);
    return name;
  }
};

import type { Groups, LayerMacs } from "@espalier/core";

/** Multiply-accumulates that are left as units go. */
export interface WorkLeft {
  /** Of the whole model now. */
  total(): number;
  /** What the model would lose if these units of a group went too. */
  saved(group: number, units: readonly number[]): number;
  remove(group: number, units: readonly number[]): void;
}

interface AxisLeft {
  count: number;
  readonly gone: Uint8Array;
}

/** Counts by the axes that `groups` tells; nodes that it does not name keep their work. */
export const workLeft = ({ groups, work }: Groups, macs: readonly LayerMacs[]): WorkLeft => {
  const known = new Map(macs.map(({ name, macs: count }) => [name, count]));
  const fixed = macs.filter(({ name }) => !work.some(({ node }) => node === name));
  // a node may stand twice: its parts share its work
  const times = new Map<string, number>();
  for (const { node } of work) times.set(node, (times.get(node) ?? 0) + 1);
  const nodes = work.map(({ node, axes }) => ({
    full: (known.get(node) ?? 0) / times.get(node)!,
    lengths: axes.map((positions) => positions.length),
    axes: axes.map((positions): AxisLeft => ({ count: positions.length, gone: new Uint8Array(positions.length) })),
  }));
  // positions of each unit: [node, axis, position]
  const places = groups.map(({ size }) => Array.from({ length: size }, (): [number, number, number][] => []));
  for (const [node, { axes }] of work.entries())
    for (const [axis, positions] of axes.entries())
      for (const [position, units] of positions.entries())
        for (const [group, unit] of units) places[group][unit].push([node, axis, position]);
  const now = (node: number, less: ReadonlyMap<number, number> = new Map()) =>
    nodes[node].axes.reduce(
      (rest, { count }, axis) => (rest * (count - (less.get(axis) ?? 0))) / nodes[node].lengths[axis],
      nodes[node].full,
    );
  const base = fixed.reduce((sum, { macs: count }) => sum + count, 0);
  return {
    total: () => nodes.reduce((sum, _, node) => sum + now(node), base),
    saved(group, units) {
      const less = new Map<number, Map<number, Set<number>>>();
      for (const unit of units)
        for (const [node, axis, position] of places[group][unit]) {
          if (nodes[node].axes[axis].gone[position]) continue;
          const own = less.get(node) ?? new Map<number, Set<number>>();
          less.set(node, own);
          own.set(axis, (own.get(axis) ?? new Set()).add(position));
        }
      let sum = 0;
      for (const [node, axes] of less)
        sum += now(node) - now(node, new Map([...axes].map(([axis, positions]) => [axis, positions.size])));
      return sum;
    },
    remove(group, units) {
      for (const unit of units)
        for (const [node, axis, position] of places[group][unit]) {
          const left = nodes[node].axes[axis];
          if (left.gone[position]) continue;
          left.gone[position] = 1;
          left.count--;
        }
    },
  };
};

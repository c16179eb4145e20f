interface Numbers {
  readonly length: number;
  [index: number]: number;
  slice(): Numbers;
}

/** Edge of the squares in which two axes are exchanged: they fit the cache. */
const TILE = 32;

interface Axis {
  readonly size: number;
  /** Step in the source, and in the result. */
  readonly from: number;
  readonly to: number;
}

/** Axes in the order of the result, with those of length 1 gone and those that stay neighbours made one. */
const axesOf = (dims: readonly number[], order: readonly number[]): Axis[] => {
  const kept = order.filter((axis) => dims[axis] !== 1);
  const steps = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  const runs: { size: number; from: number }[] = [];
  for (const axis of kept) {
    const last = runs.at(-1);
    if (last && last.from === dims[axis] * steps[axis]) {
      last.size *= dims[axis];
      last.from = steps[axis];
    } else runs.push({ size: dims[axis], from: steps[axis] });
  }
  return runs.map((run, i) => ({ ...run, to: runs.slice(i + 1).reduce((product, { size }) => product * size, 1) }));
};

/** out[.., j, .., i] = values[.., i, .., j], over two axes. Steps are added up: products cost a matrix six times more. */
const exchange = (values: Numbers, out: Numbers, a: Axis, b: Axis, from: number, to: number) => {
  const { size: rows, from: fromRow, to: toRow } = a;
  const { size: columns, from: fromColumn, to: toColumn } = b;
  for (let i0 = 0; i0 < rows; i0 += TILE)
    for (let j0 = 0; j0 < columns; j0 += TILE) {
      const i1 = Math.min(rows, i0 + TILE);
      const j1 = Math.min(columns, j0 + TILE);
      for (let i = i0; i < i1; i++) {
        let source = from + i * fromRow + j0 * fromColumn;
        let target = to + i * toRow + j0 * toColumn;
        for (let j = j0; j < j1; j++) {
          out[target] = values[source];
          source += fromColumn;
          target += toColumn;
        }
      }
    }
};

/**
 * A new array with the axes in another order: axis i of the result is axis `order[i]` of `values`, as Transpose has it.
 *
 * @param values row-major, `dims` long
 */
export const permute = <T extends Numbers>(values: T, dims: readonly number[], order: readonly number[]): T => {
  const axes = values.length === 0 ? [] : axesOf(dims, order);
  if (axes.length < 2) return values.slice() as T;
  const out = new (values.constructor as new (length: number) => T)(values.length);
  // The innermost axis of the result and the innermost of the source go together; the others count around them.
  const inner = axes.pop()!;
  const source =
    inner.from === 1
      ? axes.pop()!
      : axes.splice(
          axes.findIndex(({ from }) => from === 1),
          1,
        )[0];
  const walk = (depth: number, from: number, to: number): void => {
    if (depth === axes.length) {
      exchange(values, out, source, inner, from, to);
      return;
    }
    const axis = axes[depth];
    for (let i = 0; i < axis.size; i++) walk(depth + 1, from + i * axis.from, to + i * axis.to);
  };
  walk(0, 0, 0);
  return out;
};

/** The order that undoes `order`. */
export const inverseOrder = (order: readonly number[]): number[] => {
  const inverse = order.slice();
  order.forEach((axis, i) => {
    inverse[axis] = i;
  });
  return inverse;
};

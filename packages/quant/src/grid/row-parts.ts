import type { Grid } from "./grid.ts";

type Zeros = Uint8Array | Float32Array;

const joined = <T extends Uint8Array | Float32Array>(parts: readonly T[]): T => {
  const [first] = parts as readonly [T];
  const out = new (first.constructor as new (length: number) => T)(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

/** Grids of the same options, one below the other. */
export const stacked = (grids: readonly Grid[]): Grid => {
  const [first] = grids as readonly [Grid];
  if (grids.length === 1) return first;
  const { packed: _, ...rest } = first;
  return {
    ...rest,
    rows: grids.reduce((sum, { rows }) => sum + rows, 0),
    codes: joined(grids.map(({ codes }) => codes)),
    scales: joined(grids.map(({ scales }) => scales)),
    zeroPoints: first.zeroPoints && joined<Zeros>(grids.map(({ zeroPoints }) => zeroPoints!)),
  };
};

/** Numbers of a weight that are worked on at a time: 16 MB as doubles. */
const AT_A_TIME = 2 ** 21;

/**
 * The grid of rows that is made part by part: each part lies within one of `groups` equal runs of rows, and is small.
 *
 * @param w [rows, columns]
 * @param make the grid of some rows, of a group
 */
export const byRowParts = (
  w: Float32Array,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  groups: number,
  make: (part: Float32Array, rows: number, group: number) => Grid,
): Grid => {
  const each = rows / groups;
  const most = Math.max(1, Math.floor(AT_A_TIME / columns));
  const parts: Grid[] = [];
  for (let group = 0; group < groups; group++)
    for (let from = group * each; from < (group + 1) * each; from += most) {
      const to = Math.min((group + 1) * each, from + most);
      parts.push(make(w.subarray(from * columns, to * columns), to - from, group));
    }
  return stacked(parts);
};

import type { Op, Values } from "../../op.ts";
import { floatBound } from "../bounds.ts";
import { cut } from "../cut.ts";
import { randomFloats, seeded } from "../seeded.ts";

export const spmmArgs = {
  starts: "i32[]",
  indices: "i32[]",
  values: "f32[]",
  x: "f32[]",
  bias: "f32[]",
  y: "f32[] out",
  rows: "i32",
  columns: "i32",
  n: "i32",
  height: "i32",
  strideX: "i32",
  strideY: "i32",
  low: "f32",
  high: "f32",
} as const;
type Args = typeof spmmArgs;

const FLOAT = 4;
/** Numbers of a row of blocks that stay in registers: 32 columns for one row, 8 for four. */
export const TILE = 32;
const CUT = TILE;
const TERMS_PER_NANOSECOND = 10;

interface Shape {
  readonly rows: number;
  readonly columns: number;
  readonly n: number;
  readonly height: number;
  readonly density: number;
}

const call = ({ rows, columns, n, height, density }: Shape, seed: number, more: Partial<Values<Args>> = {}) => {
  const random = seeded(seed);
  const starts = new Int32Array(rows / height + 1);
  const indices: number[] = [];
  for (let row = 0; row < rows / height; row++) {
    // every seventh row of blocks is empty
    for (let column = 0; column < columns; column++) if (row % 7 !== 3 && random() < density) indices.push(column);
    starts[row + 1] = indices.length;
  }
  return {
    ...{ starts, indices: Int32Array.from(indices), values: randomFloats(indices.length * height, seed, true) },
    ...{ x: randomFloats(columns * n, seed + 1, true), bias: new Float32Array(), y: new Float32Array(rows * n) },
    ...{ rows, columns, n, height, strideX: n, strideY: n, low: -Infinity, high: Infinity },
    ...more,
  };
};

/**
 * A sparse matrix times a dense one.
 *
 *     Y = clamp(W X + bias, low, high)
 *
 * W [rows, columns] in blocks of `height` rows (1, 2 or 4) of one column: row r of blocks holds starts[r] to starts[r + 1],
 * at columns `indices`, with values [blocks, height]. Height 1 is CSR. x [columns, n] and y [rows, n], rows strideX and
 * strideY elements apart; bias [rows] or empty.
 */
export const spmm: Op<Args> = {
  name: "spmm",
  args: spmmArgs,
  lengths: (v) => {
    const blocks = v.starts[v.rows / v.height] ?? 0;
    return {
      ...{ starts: v.rows / v.height + 1, indices: blocks, values: blocks * v.height },
      x: v.columns && v.n ? (v.columns - 1) * v.strideX + v.n : 0,
      bias: v.bias.length && v.rows,
      y: v.rows && v.n ? (v.rows - 1) * v.strideY + v.n : 0,
    };
  },
  tolerance: (v) => {
    const y = new Float64Array(v.y.length);
    for (let row = 0; row < v.rows; row++) {
      const block = Math.floor(row / v.height);
      const [from, to] = [v.starts[block]!, v.starts[block + 1]!];
      for (let j = 0; j < v.n; j++) {
        let sum = Math.abs(v.bias[row] ?? 0);
        for (let at = from; at < to; at++)
          sum += Math.abs(v.values[at * v.height + (row % v.height)]! * v.x[v.indices[at]! * v.strideX + j]!);
        y[row * v.strideY + j] = floatBound(to - from + 2, sum);
      }
    }
    return { y };
  },
  cases: function* (scope) {
    let seed = 1;
    for (const height of [1, 2, 4])
      for (const n of scope === "load" ? [1, 9] : [1, 2, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 65]) {
        seed += 3;
        const shape = { rows: 12, columns: [1, 5, 33][seed % 3]!, n, height, density: [0.1, 0.5, 1][n % 3]! };
        yield call(shape, seed);
        yield call(shape, seed, { bias: randomFloats(12, seed), low: -0.25, high: 0.5 });
        if (scope === "load") continue;
        const [strideX, x] = [n + 3, randomFloats(shape.columns * (n + 3), seed, true)];
        yield call(shape, seed, { strideX, x });
        yield call({ ...shape, rows: 0 }, seed);
      }
  },
  sample: () => call({ rows: 128, columns: 128, n: 64, height: 1, density: 0.2 }, 1),
  scratch: ({ columns }) => (columns + 1) * TILE * FLOAT,
  // about a fifth is there
  work: (v) => (v.rows * v.columns * v.n) / 5 / TERMS_PER_NANOSECOND,
  split: (v, parts) =>
    v.n > CUT
      ? cut(v.n, parts, CUT).map(([start, n]) => ({ ...v, n, x: v.x + start * FLOAT, y: v.y + start * FLOAT }))
      : cut(v.rows, parts, v.height).map(([start, rows]) => ({
          ...v,
          rows,
          starts: v.starts + (start / v.height) * FLOAT,
          bias: v.bias && v.bias + start * FLOAT,
          y: v.y + start * v.strideY * FLOAT,
        })),
};

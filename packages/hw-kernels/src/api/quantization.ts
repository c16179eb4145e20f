import { GRID_MODES } from "../ops/quantize-blocks/grid.ts";
import { BLOCK_STEP, BLOCKS_STEP, quantizeBlocks } from "../ops/quantize-blocks/op.ts";
import { COLUMNS_STEP, DEPTH_STEP, quantizeColumns } from "../ops/quantize-columns/op.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Floats that are copied from where they lie as they are wanted. */
export interface FloatSource {
  readonly length: number;
  /** Fills `target` with the values from `start` on. */
  copyTo(target: Float32Array, start: number): void;
}

/** A weight matrix: [rows, columns], or [columns, rows] where it is transposed. Blocks run along the columns. */
export interface WeightShape {
  readonly rows: number;
  readonly columns: number;
  readonly transposed?: boolean;
}

export interface BlockOptions {
  readonly bits: 8 | 7 | 6 | 5 | 4 | 3 | 2;
  readonly blockSize: number;
  /** Zero points fixed to the middle of the grid. */
  readonly symmetric: boolean;
  /** Codes of a symmetric grid: all, or without the lowest and with positive scales. */
  readonly range: "full" | "narrow";
  readonly scaleType: "float32" | "float16";
}

export interface QuantizedBlocks {
  /** [rows, columns] a byte each, or packed two in a byte, the first one low. */
  readonly codes: Uint8Array;
  readonly packed: boolean;
  /** [rows, ceil(columns / blockSize)]; NaN where a block has a value that is not finite. */
  readonly scales: Float32Array;
  /** The same; undefined where the grid is symmetric. */
  readonly zeroPoints: Uint8Array | undefined;
}

export interface QuantizationKernels {
  /**
   * Weights on integer grids by rounding to nearest, in float64: w ≈ (code - zero) scale. Codes of 4 bits are packed
   * where a row fills whole bytes. Undefined where no kernel takes the sizes.
   */
  quantizeBlocks(w: Float32Array | FloatSource, shape: WeightShape, options: BlockOptions): QuantizedBlocks | undefined;
}

const FLOAT = 4;
const NIBBLE = 4;
/** Numbers a call works on: they stay in the cache, and the engine can change to better code between calls. */
const CALL = 1 << 17;
/** Numbers of a transposed matrix that are in the kernels' memory at once. */
const PANEL = 1 << 20;

const atLeast = (count: number, step: number) => Math.max(step, Math.floor(count / step) * step);
const roundUp = (count: number, step: number) => Math.ceil(count / step) * step;

const sourceOf = (w: Float32Array | FloatSource): FloatSource =>
  "copyTo" in w
    ? w
    : { length: w.length, copyTo: (target, start) => target.set(w.subarray(start, start + target.length)) };

interface Task {
  readonly w: FloatSource;
  readonly rows: number;
  readonly columns: number;
  readonly blockSize: number;
  readonly grid: { mode: number; highest: number; half: number; nibbles: number };
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
  readonly zeros: Uint8Array;
}

type View = typeof Float32Array | typeof Uint8Array;

/** Memory for the time of `work`: `at(i, type, length)` is a view of part i, as the memory is now. */
const withMemory = (
  { arena }: Runtime,
  bytes: readonly number[],
  work: (
    floats: (part: number, length: number, start?: number) => Float32Array,
    bytesAt: (part: number, length: number, start?: number) => Uint8Array,
  ) => void,
) => {
  const parts = bytes.map((size) => arena.allocate(size));
  const view =
    <T extends View>(type: T) =>
    (part: number, length: number, start = 0) =>
      new type(arena.memory.buffer, parts[part]! + start * type.BYTES_PER_ELEMENT, length) as InstanceType<T>;
  try {
    work(view(Float32Array), view(Uint8Array));
  } finally {
    parts.forEach(arena.free);
  }
};

/** Rows of `blocks` blocks, of which `columns` numbers are there and zeros fill up the last block. */
const quantizeLines = (runtime: Runtime, { w, rows, columns, blockSize, grid, codes, scales, zeros }: Task) => {
  const blocks = Math.ceil(columns / blockSize);
  const padded = blocks * blockSize;
  const bytes = grid.nibbles ? columns / 2 : columns;
  const lineBytes = grid.nibbles ? padded / 2 : padded;
  const most = Math.min(atLeast(CALL / padded, BLOCKS_STEP), roundUp(rows, BLOCKS_STEP));
  const sizes = [most * padded * FLOAT, most * lineBytes, most * blocks * FLOAT, most * blocks];
  withMemory(runtime, sizes, (floats, bytesAt) => {
    floats(0, most * padded).fill(0);
    for (let row = 0; row < rows; row += most) {
      const count = Math.min(most, rows - row);
      const lines = roundUp(count, BLOCKS_STEP);
      const inside = floats(0, lines * padded);
      if (padded === columns) w.copyTo(inside.subarray(0, count * columns), row * columns);
      else
        for (let i = 0; i < count; i++)
          w.copyTo(inside.subarray(i * padded, i * padded + columns), (row + i) * columns);
      runtime.run(quantizeBlocks, {
        w: inside,
        codes: bytesAt(1, lines * lineBytes),
        scales: floats(2, lines * blocks),
        zeros: bytesAt(3, lines * blocks),
        blocks: lines * blocks,
        blockSize,
        ...grid,
      });
      if (padded === columns) codes.set(bytesAt(1, count * bytes), row * bytes);
      else for (let i = 0; i < count; i++) codes.set(bytesAt(1, bytes, i * lineBytes), (row + i) * bytes);
      scales.set(floats(2, count * blocks), row * blocks);
      zeros.set(bytesAt(3, count * blocks), row * blocks);
    }
  });
};

/** The columns of a matrix that lies as [columns, rows], in panels. */
const quantizeTransposed = (runtime: Runtime, { w, rows, columns, blockSize, grid, codes, scales, zeros }: Task) => {
  const [k, n] = [columns, rows];
  const blocks = Math.ceil(k / blockSize);
  const bytes = grid.nibbles ? k / 2 : k;
  const panel = Math.min(atLeast(PANEL / k, COLUMNS_STEP), n);
  const group = Math.min(atLeast(CALL / k, COLUMNS_STEP), panel);
  const sizes = [k * panel * FLOAT, panel * bytes, panel * blocks * FLOAT, panel * blocks];
  withMemory(runtime, sizes, (floats, bytesAt) => {
    for (let first = 0; first < n; first += panel) {
      const width = Math.min(panel, n - first);
      const inside = floats(0, k * width);
      if (width === n) w.copyTo(inside, 0);
      else for (let i = 0; i < k; i++) w.copyTo(inside.subarray(i * width, (i + 1) * width), i * n + first);
      for (let j = 0; j < width; j += group) {
        const count = Math.min(group, width - j);
        runtime.run(quantizeColumns, {
          w: floats(0, k * width - j, j),
          codes: bytesAt(1, count * bytes, j * bytes),
          scales: floats(2, count * blocks, j * blocks),
          zeros: bytesAt(3, count * blocks, j * blocks),
          ...{ k, n: count, stride: width, blockSize },
          ...grid,
        });
      }
      codes.set(bytesAt(1, width * bytes), first * bytes);
      scales.set(floats(2, width * blocks), first * blocks);
      zeros.set(bytesAt(3, width * blocks), first * blocks);
    }
  });
};

export const quantizationKernels = (runtime: Runtime): QuantizationKernels => ({
  quantizeBlocks(w, { rows, columns, transposed = false }, { bits, blockSize, symmetric, range, scaleType }) {
    const single = blockSize >= columns;
    const step = transposed ? DEPTH_STEP : BLOCK_STEP;
    // a block that holds the row is as long as zeros make it, which change nothing
    const block = single ? roundUp(columns, step) : blockSize;
    if (rows === 0 || columns === 0 || block % step !== 0) return undefined;
    if (transposed && (columns % DEPTH_STEP !== 0 || rows % COLUMNS_STEP !== 0)) return undefined;
    const packed = bits === NIBBLE && columns % 2 === 0;
    const blocks = Math.ceil(columns / block);
    const task: Task = {
      ...{ w: sourceOf(w), rows, columns, blockSize: block },
      grid: {
        mode: symmetric ? GRID_MODES[range] : GRID_MODES.affine,
        highest: 2 ** bits - 1,
        half: Number(scaleType === "float16"),
        nibbles: Number(packed),
      },
      codes: new Uint8Array(packed ? (rows * columns) / 2 : rows * columns),
      scales: new Float32Array(rows * blocks),
      zeros: new Uint8Array(rows * blocks),
    };
    if (transposed) quantizeTransposed(runtime, task);
    // rows of whole blocks are one long list of blocks
    else if (columns % block === 0) quantizeLines(runtime, { ...task, rows: rows * blocks, columns: block });
    else quantizeLines(runtime, task);
    return { codes: task.codes, packed, scales: task.scales, zeroPoints: symmetric ? undefined : task.zeros };
  },
});

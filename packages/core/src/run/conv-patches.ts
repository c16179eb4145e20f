import { intsOf, stringOf } from "../attrs.ts";
import type { Node } from "../model.ts";
import { sizeOf } from "../tensor.ts";

/** Takes a block of rows, [count, columns], that is overwritten afterwards, and the convolution's group they belong to. */
export type Visit = (rows: Float32Array | Float64Array, count: number, group: number) => void;

/** Rows that are handed on at a time. */
const BLOCK = 256;

interface Axis {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  /** Positions of the kernel: the length of the output. */
  readonly positions: number;
}

const axesOf = (node: Node, sizes: readonly number[], kernel: readonly number[]): Axis[] => {
  const rank = sizes.length;
  const autoPad = stringOf(node, "auto_pad") ?? "NOTSET";
  const ones = new Array<number>(rank).fill(1);
  const strides = intsOf(node, "strides") ?? ones;
  const dilations = intsOf(node, "dilations") ?? ones;
  const pads = intsOf(node, "pads") ?? new Array<number>(2 * rank).fill(0);
  return sizes.map((size, i) => {
    const [stride, dilation] = [strides[i], dilations[i]];
    const span = dilation * (kernel[i] - 1) + 1;
    const axis = { size, kernel: kernel[i], stride, dilation };
    if (autoPad === "VALID") return { ...axis, before: 0, positions: Math.floor((size - span) / stride) + 1 };
    if (autoPad.startsWith("SAME")) {
      const positions = Math.ceil(size / stride);
      const padding = Math.max(0, (positions - 1) * stride + span - size);
      return { ...axis, before: autoPad === "SAME_LOWER" ? Math.ceil(padding / 2) : padding >> 1, positions };
    }
    const padded = size + pads[i] + pads[rank + i];
    return { ...axis, before: pads[i], positions: Math.floor((padded - span) / stride) + 1 };
  });
};

/** Digits of a number, the last axis counting fastest. */
const digits = (value: number, bases: readonly number[]): number[] => {
  const out = new Array<number>(bases.length);
  let rest = value;
  for (let i = bases.length - 1; i >= 0; i--) {
    out[i] = rest % bases[i];
    rest = Math.floor(rest / bases[i]);
  }
  return out;
};

/**
 * The patches that a convolution multiplies with its kernels: a row for each sample and output position, with columns
 * in the order of a weight's [in, ...kernel], zeros where the patch lies over the edge.
 *
 * @param x      [batch, groups * in, ...spatial]
 * @param kernel lengths of the kernel
 */
export const convPatches = (
  node: Node,
  x: Float32Array | Float64Array,
  dims: readonly number[],
  groups: number,
  kernel: readonly number[],
  visit: Visit,
): void => {
  const [batch, channels, ...sizes] = dims;
  const axes = axesOf(node, sizes, kernel);
  const [area, taps, inputs] = [sizeOf(sizes), sizeOf(kernel), channels / groups];
  const outputs = axes.map(({ positions }) => Math.max(0, positions));
  const count = sizeOf(outputs);
  const columns = inputs * taps;
  const block = new Float32Array(Math.min(BLOCK, count) * columns);
  const places = new Int32Array(BLOCK * taps);
  const tapAt = Array.from({ length: taps }, (_, tap) => digits(tap, kernel));
  for (let first = 0; first < count; first += BLOCK) {
    const rows = Math.min(BLOCK, count - first);
    for (let row = 0; row < rows; row++) {
      const at = digits(first + row, outputs);
      for (let tap = 0; tap < taps; tap++) {
        let place = 0;
        for (let i = 0; i < axes.length && place >= 0; i++) {
          const { size, stride, dilation, before } = axes[i];
          const position = at[i] * stride + tapAt[tap][i] * dilation - before;
          place = position < 0 || position >= size ? -1 : place * size + position;
        }
        places[row * taps + tap] = place;
      }
    }
    for (let n = 0; n < batch; n++)
      for (let group = 0; group < groups; group++) {
        for (let c = 0; c < inputs; c++) {
          const base = ((n * groups + group) * inputs + c) * area;
          for (let row = 0; row < rows; row++)
            for (let tap = 0; tap < taps; tap++) {
              const place = places[row * taps + tap];
              block[row * columns + c * taps + tap] = place < 0 ? 0 : x[base + place];
            }
        }
        visit(block, rows, group);
      }
  }
};

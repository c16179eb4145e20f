import { type Tensor, tensor } from "@espalier/core";
import { type Grid, middleOf } from "../grid/grid.ts";
import { nearest } from "../grid/nearest.ts";
import type { Range } from "../range/calibrators.ts";
import { type ChannelView, scatterChannels } from "./channel-view.ts";
import { signedCodes } from "./decode-int8.ts";
import type { Names } from "./piece.ts";

/** Names of a value's codes and of its grid, with the constants of the grid. */
interface OnGrid {
  readonly codes: string;
  readonly scale: string;
  readonly zero: string;
  readonly constants: ReadonlyMap<string, Tensor>;
}

export type ActivationType = "uint8" | "int8";

/** An activation on a grid that calibration fixed: x ≈ (code - zero) * step. */
export interface FixedValue extends OnGrid {
  /** Name of the float value. */
  readonly value: string;
  /** Name of the result of a layer before it goes onto the grid. */
  readonly raw: string;
  readonly step: number;
}

const LEVELS = 255;

/** Scale and zero point of 256 codes over a range, codes counted from 0; 0 is exact. SPEC 0.1. */
const gridOf = ({ low, high }: Range): { readonly step: number; readonly zero: number } => {
  const [lo, hi] = [Math.min(0, low), Math.max(0, high)];
  const step = Math.fround((hi - lo) / LEVELS);
  return step > 0 ? { step, zero: Math.max(0, Math.min(LEVELS, nearest(-lo / step))) } : { step: 1, zero: 0 };
};

/** A value on the grid of its range. */
export const fixedValue = (value: string, range: Range, type: ActivationType, fresh: Names): FixedValue => {
  const { step, zero } = gridOf(range);
  const names = { codes: fresh(`${value}_q`), scale: fresh(`${value}_s`), zero: fresh(`${value}_z`) };
  const code = type === "uint8" ? Uint8Array.of(zero) : Int8Array.of(zero - middleOf(8));
  const constants = new Map<string, Tensor>([
    [names.scale, tensor("float32", [], Float32Array.of(step))],
    [names.zero, tensor(type, [], code)],
  ]);
  return { ...names, value, raw: fresh(`${value}_r`), step, constants };
};

/** A weight in int8, symmetric: w ≈ code * step of its channel, or of all. */
export interface FixedWeight extends OnGrid {
  readonly name: string;
  /** One for each output channel, or a single one. */
  readonly steps: Float32Array;
  /** Axis of the output channels in the file's layout. */
  readonly axis: number;
}

/** @param grid [channels, outer * inner] of the view, or [1, all]; one block a row, symmetric */
export const fixedWeight = (
  name: string,
  dims: readonly number[],
  grid: Grid,
  view: ChannelView,
  fresh: Names,
): FixedWeight => {
  const names = { codes: fresh(`${name}_q`), scale: fresh(`${name}_s`), zero: fresh(`${name}_z`) };
  const scaleDims = grid.rows === 1 && view.channels > 1 ? [] : [grid.rows];
  const codes = signedCodes(scatterChannels(grid.codes, view), grid.bits);
  const constants = new Map<string, Tensor>([
    [names.codes, tensor("int8", dims, codes)],
    [names.scale, tensor("float32", scaleDims, grid.scales)],
    [names.zero, tensor("int8", scaleDims, new Int8Array(grid.rows))],
  ]);
  const axis = dims.length - Math.max(1, view.scaleDims.length);
  return { ...names, name, steps: grid.scales, axis, constants };
};

/** A bias in int32 on the grid of the sums: b ≈ code * (step of the input * step of the channel). */
export interface FixedBias extends OnGrid {
  readonly decoded: string;
}

/** Largest code of a bias: beside it the sum of products must fit into int32 too. */
const LARGEST_BIAS = 2 ** 30;

/** Least step of each channel at which its bias, on the grid of an input, has a code. */
export const leastSteps = (bias: Float32Array, inputStep: number): Float32Array =>
  bias.map((value) => Math.abs(value) / inputStep / LARGEST_BIAS);

export const fixedBias = (
  name: string,
  bias: Float32Array,
  input: FixedValue,
  { steps }: FixedWeight,
  fresh: Names,
): FixedBias => {
  const names = { codes: fresh(`${name}_q`), scale: fresh(`${name}_s`), zero: fresh(`${name}_z`) };
  const scales = steps.map((step) => step * input.step);
  const codes = Int32Array.from(bias, (value, i) => {
    const code = nearest(value / scales[scales.length === 1 ? 0 : i]!);
    return Math.max(-LARGEST_BIAS, Math.min(LARGEST_BIAS, code));
  });
  const scaleDims = scales.length === 1 && bias.length > 1 ? [] : [scales.length];
  const constants = new Map<string, Tensor>([
    [names.codes, tensor("int32", [bias.length], codes)],
    [names.scale, tensor("float32", scaleDims, scales)],
    [names.zero, tensor("int32", scaleDims, new Int32Array(scales.length))],
  ]);
  return { ...names, decoded: fresh(`${name}_d`), constants };
};

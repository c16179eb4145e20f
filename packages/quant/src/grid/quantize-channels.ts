import type { FloatSource, PassKernels } from "@espalier/core";
import type { ChannelView } from "../export/channel-view.ts";
import type { Grid, GridOptions } from "./grid.ts";
import { unpackRows } from "./pack.ts";
import { quantizeRows } from "./quantize-rows.ts";

/** What the kernels make of a weight as it lies; undefined where they do not take it. */
const byKernels = (
  w: Float32Array | FloatSource,
  { outer, channels, inner }: ChannelView,
  { bits = 8, blockSize, symmetric = true, range = "full", clip, scaleType = "float32", zeroPoint }: GridOptions,
  { quantizeBlocks }: PassKernels,
): Grid | undefined => {
  const plain = clip !== "mse" && (symmetric || zeroPoint !== "float");
  if (!quantizeBlocks || !plain || (outer > 1 && inner > 1)) return undefined;
  const [rows, columns] = [channels, outer * inner];
  const size = blockSize ?? columns;
  const transposed = outer > 1;
  const made = quantizeBlocks(w, { rows, columns, transposed }, { bits, blockSize: size, symmetric, range, scaleType });
  if (!made) return undefined;
  const { codes, packed, scales, zeroPoints } = made;
  const grid = { bits, rows, columns, blockSize: size, blocks: Math.ceil(columns / size), scales, zeroPoints };
  if (!packed) return { ...grid, codes };
  let unpacked: Uint8Array | undefined;
  return {
    ...grid,
    packed: codes,
    get codes() {
      unpacked ??= unpackRows(codes, rows, columns, bits);
      return unpacked;
    },
  };
};

/**
 * A weight as its file has it on a grid, one row for each channel: `quantizeRows`, by kernels where there are any.
 *
 * @param rows the weight as [channels, outer * inner], asked for where no kernel takes it
 */
export const quantizeChannels = async (
  w: Float32Array | FloatSource,
  view: ChannelView,
  options: GridOptions,
  kernels: PassKernels | undefined,
  rows: () => Promise<Float32Array>,
): Promise<Grid> =>
  (kernels && byKernels(w, view, options, kernels)) ??
  quantizeRows(await rows(), view.channels, view.outer * view.inner, options);

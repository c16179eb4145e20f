import { type Layer, permute } from "@espalier/core";

/** A weight as its file has it, seen as [outer, channels, inner]: one scale for each output channel. */
export interface ChannelView {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
  /** Dims of a scale that broadcasts over the weight. */
  readonly scaleDims: readonly number[];
}

const product = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** True where nodes read the weight itself, and not what Transpose, Identity or Cast make of it. */
export const readsWeight = ({ uses, weight }: Layer): boolean =>
  uses.every(({ node, index }) => node.inputs[index] === weight.name);

/** First and last axis, in the file's order, that tell output channels apart. */
const channelAxes = ({ kind, weight }: Layer): readonly [number, number] => {
  const { split, order, outAxes } = weight.layout;
  const [first, last] = [order[0]!, order[outAxes - 1]!];
  if (kind === "recurrent" && last === first + 1) return [first, last];
  // Matrices of a stack share the scales of their channels.
  if (split.length === weight.tensor.dims.length) return [last, last];
  // So do groups of ConvTranspose, unless each has one output. `split` has the groups before their inputs.
  const axis = split[last] === 1 ? first : last;
  return axis > first ? [axis - 1, axis - 1] : [axis, axis];
};

/** Where the output channels of a layer's weight lie in the file's layout. */
export const channelViewOf = (layer: Layer): ChannelView => {
  const { dims } = layer.weight.tensor;
  const [first, last] = channelAxes(layer);
  return {
    outer: product(dims.slice(0, first)),
    channels: product(dims.slice(first, last + 1)),
    inner: product(dims.slice(last + 1)),
    scaleDims: trimmed(dims.map((dim, axis) => (axis >= first && axis <= last ? dim : 1))),
  };
};

/** Leading ones say nothing to a broadcast. */
const trimmed = (dims: readonly number[]): readonly number[] => {
  const first = dims.findIndex((dim) => dim !== 1);
  return first < 0 ? [] : dims.slice(first);
};

const EXCHANGED = [1, 0, 2];

/** [outer, channels, inner] -> [channels, outer * inner]; the same array where outer is 1. */
export const gatherChannels = (w: Float32Array, { outer, channels, inner }: ChannelView): Float32Array =>
  outer === 1 ? w : permute(w, [outer, channels, inner], EXCHANGED);

/** [channels, outer * inner] -> [outer, channels, inner]; the same array where outer is 1. */
export const scatterChannels = <T extends Uint8Array | Float32Array>(
  values: T,
  { outer, channels, inner }: ChannelView,
): T => (outer === 1 ? values : permute(values, [channels, outer, inner], EXCHANGED));

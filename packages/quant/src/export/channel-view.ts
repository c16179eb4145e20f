import { attrs, type Layer } from "@espalier/core";

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

/** The same by dims alone, for a weight that comes through other operators; undefined where dims do not tell. */
const axesByDims = ({ weight }: Layer): readonly [number, number] | undefined => {
  const [file, seen] = [weight.tensor.dims, weight.dims];
  const same = file.length === seen.length && file.every((dim, axis) => dim === seen[axis]);
  if (file.length !== 2) return same ? [0, 0] : undefined;
  if (file[0] === file[1]) return undefined;
  return same ? [0, 0] : [1, 1];
};

/** First and last axis, in the file's order, that tell output channels apart. */
const channelAxes = (layer: Layer): readonly [number, number] | undefined => {
  const { kind, node, uses, weight, groups } = layer;
  if (!readsWeight(layer)) return axesByDims(layer);
  const rank = weight.tensor.dims.length;
  const index = uses[0].index;
  if (rank < 2) return undefined;
  if (kind === "embedding") return attrs.intOf(node, "axis", 0) === 0 ? [0, 0] : undefined;
  if (kind === "recurrent") return [0, rank - 2];
  if (node.opType === "ConvTranspose") return groups > 1 && weight.tensor.dims[1] === 1 ? [0, 0] : [1, 1];
  if (kind === "conv") return [0, 0];
  if (node.opType === "Gemm") {
    const transposed = attrs.intOf(node, index === 0 ? "transA" : "transB", 0) !== 0;
    return transposed === (index === 0) ? [1, 1] : [0, 0];
  }
  return node.opType === "MatMul" && index === 0 ? [rank - 2, rank - 2] : [rank - 1, rank - 1];
};

/** Where the output channels of a layer's weight lie in the file's layout; undefined where it has none. */
export const channelViewOf = (layer: Layer): ChannelView | undefined => {
  const axes = channelAxes(layer);
  if (!axes) return undefined;
  const { dims } = layer.weight.tensor;
  const [first, last] = axes;
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

const TILE = 32;

/** out[c, o] = values[o, c], in tiles that fit the cache. */
const transpose = <T extends Float32Array | Uint8Array>(values: T, out: T, rows: number, columns: number): T => {
  for (let r0 = 0; r0 < rows; r0 += TILE)
    for (let c0 = 0; c0 < columns; c0 += TILE) {
      const [r1, c1] = [Math.min(rows, r0 + TILE), Math.min(columns, c0 + TILE)];
      for (let c = c0; c < c1; c++) for (let r = r0; r < r1; r++) out[c * rows + r] = values[r * columns + c]!;
    }
  return out;
};

/** out[b, a, i] = values[a, b, i] */
const swap = <T extends Float32Array | Uint8Array>(values: T, out: T, a: number, b: number, inner: number): T => {
  if (inner === 1) return transpose(values, out, a, b);
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++)
      out.set(values.subarray((i * b + j) * inner, (i * b + j + 1) * inner), (j * a + i) * inner);
  return out;
};

/** [outer, channels, inner] -> [channels, outer * inner]; the same array where outer is 1. */
export const gatherChannels = (w: Float32Array, { outer, channels, inner }: ChannelView): Float32Array =>
  outer === 1 ? w : swap(w, new Float32Array(w.length), outer, channels, inner);

/** [channels, outer * inner] -> [outer, channels, inner]; the same array where outer is 1. */
export const scatterChannels = (codes: Uint8Array, { outer, channels, inner }: ChannelView): Uint8Array =>
  outer === 1 ? codes : swap(codes, new Uint8Array(codes.length), channels, outer, inner);

import { inputRowsOf, type Layer, sizeOf, type Tensor } from "@espalier/core";
import { type Matrix, matrix } from "@espalier/core/linalg";
import { matrixView, pointwiseView } from "../matrix-view.ts";

/** Widest Gram matrix of patches; convolutions that are wider are looked at pixel by pixel. */
const WIDEST_PATCH = 1280;

/** Widest Gram matrix at all: 200 MB. */
const WIDEST = 5120;

/** Rows of one feed that statistics take in at most, evenly spread. */
const MOST_ROWS = 1024;

/** A weight as a matrix [rows, columns], and the rows that it meets in a tensor. */
export interface InputView {
  readonly rows: number;
  readonly columns: number;
  /** How many rows of the matrix make one output; their order is output, then tap. */
  readonly taps: number;
  /** Whether row i of `rowsIn` makes what stands at place i of the output; see `outputRows`. */
  readonly aligned: boolean;
  toRows(values: Float32Array): Float32Array;
  fromRows(rows: Float32Array): Float32Array;
  /** Some of the rows that a tensor holds, and where they stand. */
  rowsIn(x: Tensor): Sample;
}

interface Sample {
  readonly rows: Matrix;
  /** The place of each row: sample by sample, then by position. */
  readonly places: readonly number[];
}

const subTensor = (x: Tensor, n: number): Tensor => {
  const dims = [1, ...x.dims.slice(1)];
  const size = sizeOf(dims);
  return { ...x, dims, data: (x.data as Float32Array).subarray(n * size, (n + 1) * size) } as Tensor;
};

type Each = (x: Tensor, visit: (rows: Float32Array | Float64Array, count: number) => void) => void;

/** Rows of every `step`-th position of a tensor, or of each of its samples where they are taken one by one. */
const sampled = (x: Tensor, columns: number, bySample: boolean, each: Each): Sample => {
  const parts = bySample ? Array.from({ length: x.dims[0] }, (_, n) => subTensor(x, n)) : [x];
  const positions = bySample ? sizeOf(x.dims.slice(2)) : sizeOf(x.dims) / columns;
  const step = Math.max(1, Math.ceil((positions * parts.length) / MOST_ROWS));
  const [found, places]: [Float64Array[], number[]] = [[], []];
  let first = 0;
  for (const part of parts) {
    let at = 0;
    each(part, (rows, count) => {
      for (let r = 0; r < count; r++, at++) {
        if ((first + at) % step !== 0) continue;
        found.push(Float64Array.from(rows.subarray(r * columns, (r + 1) * columns)));
        places.push(first + at);
      }
    });
    first += at;
  }
  const rows = matrix(found.length, columns);
  for (const [i, row] of found.entries()) rows.data.set(row, i * columns);
  return { rows, places };
};

/** Pixels of [n, channels, …spatial] as rows. */
const pixels: Each = (x, visit) => {
  const channels = x.dims[1];
  const area = sizeOf(x.dims.slice(2));
  const data = x.data as Float32Array;
  const block = new Float32Array(data.length);
  for (let c = 0; c < channels; c++) for (let i = 0; i < area; i++) block[i * channels + c] = data[c * area + i];
  visit(block, area);
};

/** How a layer's weight meets its input; undefined where it does not as rows, in groups, or is too wide. */
export const inputView = (layer: Layer): InputView | undefined => {
  const seen = inputRowsOf(layer);
  if (typeof seen === "string" || layer.groups !== 1) return undefined;
  const { node, uses, weight } = layer;
  const spatial = uses[0].kind === "conv";
  const wide = node.opType === "Conv" && seen.columns > WIDEST_PATCH && weight.dims.length > 2;
  const view = wide ? pointwiseView(layer) : matrixView(layer);
  if (view.columns > WIDEST) return undefined;
  const taps = view.rows / weight.dims[0];
  const straight = seen.key === "axis -1 1" && uses.every(({ index }) => index === 1);
  return {
    ...view,
    taps,
    aligned: taps === 1 && uses.length === 1 && (spatial ? node.opType === "Conv" : straight),
    rowsIn: (x) => sampled(x, view.columns, spatial, wide ? pixels : (part, visit) => seen.each(part, visit)),
  };
};

/** The outputs at places of a tensor, [places, out]: [n, out, …spatial] of convolutions, else [..., out]. */
export const outputRows = (y: Tensor, spatial: boolean, places: readonly number[]): Matrix => {
  const data = y.data as Float32Array;
  const out = spatial ? y.dims[1] : y.dims.at(-1)!;
  const area = spatial ? sizeOf(y.dims.slice(2)) : 1;
  const rows = matrix(places.length, out);
  for (const [i, place] of places.entries()) {
    const base = Math.floor(place / area) * out * area + (place % area);
    for (let o = 0; o < out; o++) rows.data[i * out + o] = data[base + o * area];
  }
  return rows;
};

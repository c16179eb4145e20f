import { inputRowsOf, type Layer, sizeOf } from "@espalier/core";

/** A weight as the matrix that meets the rows of its layer's input. */
export interface MatrixView {
  readonly rows: number;
  /** Weights of one output; of a transposed convolution, of one output and tap. */
  readonly columns: number;
  /** Groups of a convolution: rows of group g meet inputs of their own. */
  readonly groups: number;
  /** Why the layer's input is not to be had as rows; undefined where it is. */
  readonly unseen?: string;
  /** [out, in, ...kernel] -> [rows, columns] */
  toRows(values: Float32Array): Float32Array;
  fromRows(rows: Float32Array): Float32Array;
}

const same = (values: Float32Array) => values;

/** [outer, a, b] -> [outer, b, a] */
const turned = (values: Float32Array, a: number, b: number): Float32Array => {
  const out = new Float32Array(values.length);
  for (let from = 0; from < values.length; from += a * b)
    for (let i = 0; i < a; i++) for (let j = 0; j < b; j++) out[from + j * a + i] = values[from + i * b + j];
  return out;
};

/**
 * How the weight of a layer is pruned as a matrix: [out, in * kernel], and [out * kernel, in] of a transposed
 * convolution, each of whose taps meets the input by itself.
 */
export const matrixView = (layer: Layer): MatrixView => {
  const { dims } = layer.weight;
  const seen = inputRowsOf(layer);
  const [out, inputs] = dims;
  const taps = sizeOf(dims.slice(2));
  if (typeof seen === "string")
    return { rows: out, columns: inputs * taps, groups: 1, unseen: seen, toRows: same, fromRows: same };
  if (seen.columns === inputs * taps || taps === 1)
    return { rows: out, columns: inputs * taps, groups: seen.groups, toRows: same, fromRows: same };
  return {
    rows: out * taps,
    columns: inputs,
    groups: seen.groups,
    toRows: (values) => turned(values, inputs, taps),
    fromRows: (rows) => turned(rows, taps, inputs),
  };
};

/** The weight of a convolution as [out * kernel, in]: each of its taps meets a pixel by itself. */
export const pointwiseView = (layer: Layer): MatrixView => {
  const [out, inputs, ...kernel] = layer.weight.dims;
  const taps = sizeOf(kernel);
  return {
    rows: out * taps,
    columns: inputs,
    groups: layer.groups,
    toRows: (values) => turned(values, inputs, taps),
    fromRows: (rows) => turned(rows, taps, inputs),
  };
};

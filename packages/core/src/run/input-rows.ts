import { intOf } from "../attrs.ts";
import type { Layer, LayerUse } from "../layers.ts";
import { halfValue } from "../numeric/half.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { convPatches, type Visit } from "./conv-patches.ts";

export type { Visit };

/** How a weight, [out, in, ...kernel] read as [out, columns], sees its input: as rows of `columns` numbers. */
export interface InputRows {
  /** in * kernel; of a transposed convolution, in */
  readonly columns: number;
  /** Groups of a convolution, each with rows of its own; 1 elsewhere. */
  readonly groups: number;
  /** The same text for layers that make the same rows of the same input. */
  readonly key: string;
  /** Hands on the rows of an input, some at a time; integers (the indices of a table) have none. */
  each(x: Tensor, visit: Visit): void;
}

const valuesOf = ({ type, data }: Tensor): Float32Array | Float64Array | undefined => {
  if (type === "float32" || type === "float64") return data as Float32Array | Float64Array;
  return type === "float16" ? Float32Array.from(data as Uint16Array, halfValue) : undefined;
};

/** Rows along one axis of an input, counted from the end. */
const rowsAlong = (axis: number, columns: number, groups: number, x: Tensor, visit: Visit): void => {
  const values = valuesOf(x);
  if (!values) return;
  const at = Math.max(0, x.dims.length + axis);
  const inner = sizeOf(x.dims.slice(at + 1));
  const outer = sizeOf(x.dims.slice(0, at));
  if (inner === 1 && groups === 1) {
    visit(values, outer, 0);
    return;
  }
  const block = new Float32Array(inner * columns);
  for (let o = 0; o < outer; o++)
    for (let group = 0; group < groups; group++) {
      const base = (o * groups + group) * columns * inner;
      for (let c = 0; c < columns; c++)
        for (let i = 0; i < inner; i++) block[i * columns + c] = values[base + c * inner + i];
      visit(block, inner, group);
    }
};

/** Axis of the input that the columns of the weight meet, from the end; undefined where no single one is. */
const metAxis = ({ node, index }: LayerUse): number | undefined => {
  switch (node.opType) {
    case "MatMul":
    case "Gemm":
    case "FusedGemm":
    case "FusedMatMul":
    case "FusedMatMulActivation":
    case "TransposeMatMul": {
      if (intOf(node, "transBatchA", 0) !== 0 || intOf(node, "transBatchB", 0) !== 0) return undefined;
      const turned = intOf(node, index === 1 ? "transA" : "transB", 0) !== 0;
      return turned === (index === 1) ? -2 : -1;
    }
    case "LSTM":
    case "GRU":
    case "RNN":
      return index === 1 ? -1 : undefined;
    default:
      return -1;
  }
};

const CONVOLUTIONS: ReadonlySet<string> = new Set(["Conv", "FusedConv"]);

/** What decides how a convolution takes its patches. */
const convKey = ({ node }: LayerUse): string =>
  ["auto_pad", "dilations", "pads", "strides"]
    .map((name) => {
      const attribute = node.attributes.get(name);
      return attribute ? `${name}=${attribute.value as unknown as string}` : "";
    })
    .join(" ");

const rowsOfUse = (layer: Layer, use: LayerUse): InputRows | string => {
  const { groups, weight } = layer;
  const [out, inputs, ...kernel] = weight.dims;
  if (use.kind === "conv") {
    if (CONVOLUTIONS.has(use.node.opType))
      return {
        columns: inputs * sizeOf(kernel),
        groups,
        key: `conv ${groups} ${kernel.join("x")} ${convKey(use)}`,
        each(x, visit) {
          const values = valuesOf(x);
          if (values) convPatches(use.node, values, x.dims, groups, kernel, visit);
        },
      };
    if (!use.node.opType.startsWith("ConvTranspose")) return `${use.node.opType} chooses its patches by its input`;
    const axis = -1 - kernel.length;
    return {
      columns: inputs,
      groups,
      key: `axis ${axis} ${groups}`,
      each: (x, visit) => rowsAlong(axis, inputs, groups, x, visit),
    };
  }
  if (out * inputs !== sizeOf(weight.tensor.dims) || (use.kind === "linear" && weight.tensor.dims.length > 2))
    return "it is a stack of matrices, each with inputs of its own";
  const axis = metAxis(use);
  if (axis === undefined) return "what it meets is computed inside its node";
  return {
    columns: inputs,
    groups: 1,
    key: `axis ${axis} 1`,
    each: (x, visit) => rowsAlong(axis, inputs, 1, x, visit),
  };
};

/**
 * How the weight of a layer sees its input, or the reason why it has no such rows: tables of embeddings, the recurrent
 * weights of LSTM, GRU and RNN, stacks of matrices, DeformConv, and weights that are used in different ways. Of a table
 * that is also the matrix of a product the product counts, where it takes the matrix the same way round.
 */
export const inputRowsOf = (layer: Layer): InputRows | string => {
  const uses = layer.uses.filter(({ kind }) => kind !== "embedding");
  if (uses.length === 0) return "it is a table of embeddings";
  const order = layer.weight.layout.order.join();
  if (uses.some(({ layout }) => layout.order.join() !== order)) return "its weight is used both ways round";
  const found = uses.map((use) => rowsOfUse(layer, use));
  const reason = found.find((rows) => typeof rows === "string");
  if (reason !== undefined) return reason;
  const [first, ...others] = found as [InputRows, ...InputRows[]];
  return others.every(({ key }) => key === first.key) ? first : "its uses see their inputs in different ways";
};

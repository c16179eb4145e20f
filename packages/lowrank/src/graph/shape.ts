import { attrs, type Layer, permute, sizeOf } from "@espalier/core";
import { type Matrix, matrix } from "@espalier/core/linalg";
import { keptBy } from "./scopes.ts";

/** A weight as a stack of matrices: one for each group of a convolution, one elsewhere. */
export interface Shape {
  /** Rows of each: outputs of a group; of a transposed convolution, outputs × kernel. */
  readonly m: number;
  /** Columns of each: inputs × kernel; of a transposed convolution, inputs; of a table, its width. */
  readonly n: number;
  readonly groups: number;
}

const LINEAR: ReadonlySet<string> = new Set(["MatMul", "Gemm"]);
const CONV: ReadonlySet<string> = new Set(["Conv", "ConvTranspose"]);

const unfitUse = ({ weight }: Layer, { node, kind, layout }: Layer["uses"][number]): string | undefined => {
  if (node.domain !== "") return `${node.opType} takes its weight whole`;
  if (kind === "embedding")
    return node.opType === "Gather" && weight.tensor.dims.length === 2 && attrs.intOf(node, "axis", 0) % 2 === 0
      ? undefined
      : "it is no table of rows";
  if (kind === "linear" && LINEAR.has(node.opType))
    return layout.split.length === 2 ? undefined : "it is a stack of matrices";
  return kind === "conv" && CONV.has(node.opType) ? undefined : `${node.opType} takes its weight whole`;
};

/** The matrices of a layer, or the reason why it cannot be factored. */
export const shapeOf = (layer: Layer): Shape | string => {
  const { uses, weight, groups, node, kind } = layer;
  for (const use of uses) {
    const reason = unfitUse(layer, use);
    if (reason !== undefined) return reason;
  }
  const order = weight.layout.order.join();
  if (uses.some(({ layout }) => layout.order.join() !== order)) return "its weight is used both ways round";
  const kept = keptBy(layer);
  if (kept !== undefined) return kept;
  const [out, inputs, ...kernel] = weight.dims;
  const taps = sizeOf(kernel);
  if (kind === "conv" && node.opType === "ConvTranspose") return { m: (out / groups) * taps, n: inputs, groups };
  return { m: out / groups, n: inputs * taps, groups };
};

/** Values [out, in, ...kernel] as the matrices of a shape; undefined where one is not finite. */
export const matricesOf = async (layer: Layer, { m, n, groups }: Shape): Promise<Matrix[] | undefined> => {
  const values = await layer.weight.read();
  if (!values.every(Number.isFinite)) return undefined;
  const [out, inputs, ...kernel] = layer.weight.dims;
  const taps = sizeOf(kernel);
  const rows = layer.node.opType === "ConvTranspose" ? permute(values, [out, inputs, taps], [0, 2, 1]) : values;
  return Array.from({ length: groups }, (_, g) =>
    matrix(m, n, Float64Array.from(rows.subarray(g * m * n, (g + 1) * m * n))),
  );
};

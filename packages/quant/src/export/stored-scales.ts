import { makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import { E4M3, e8m0Values, smallFloatValues } from "../grid/small-float.ts";
import type { ValueGrid } from "../grid/value-grid.ts";
import type { Names, Piece } from "./piece.ts";
import { castNode, halfPays, storeFloats } from "./scales.ts";
import { type SharedTables, whole } from "./tables.ts";

export interface DecodedScales {
  readonly nodes: readonly Node[];
  readonly weights: readonly (readonly [string, Tensor])[];
  readonly shared: readonly Piece[];
}

/**
 * Nodes and weights that make the scales of a grid as a float32 value of the given dims, all of which onnxruntime
 * folds when it loads the model: floats as they are, or float16 where they fit; bytes by a gather from a table; those
 * of double quantization by Cast, Mul and Add.
 */
export const decodedScales = (
  name: string,
  dims: readonly number[],
  { scales, stored }: Pick<ValueGrid, "scales" | "stored">,
  tables: SharedTables,
  fresh: Names,
): DecodedScales => {
  if (!stored) return { ...storeFloats(name, dims, scales, halfPays(scales, name)), shared: [] };
  const suffixed = (suffix: string) => fresh(name + suffix);
  const [codes, index] = [suffixed("q"), suffixed("i")];
  if (stored.kind === "e8m0") {
    const table = tables("powers", () => ({ dims: [256], values: e8m0Values() }));
    return {
      nodes: [castNode(codes, index, "int32"), makeNode("Gather", [table.name, index], [name])],
      weights: [[codes, tensor("uint8", dims, stored.codes)]],
      shared: [table.shared],
    };
  }
  if (stored.kind === "e4m3") {
    const table = tables("e4m3", () => ({ dims: [256], values: smallFloatValues(E4M3) }));
    const [raw, factor] = [suffixed("r"), suffixed("f")];
    return {
      nodes: [
        castNode(codes, index, "int32"),
        makeNode("Gather", [table.name, index], [raw]),
        makeNode("Mul", [raw, factor], [name]),
      ],
      weights: [
        [codes, tensor("uint8", dims, stored.codes)],
        [factor, tensor("float32", [], Float32Array.of(stored.factor))],
      ],
      shared: [table.shared],
    };
  }
  return { ...doubleScales(name, dims, stored, suffixed), shared: [] };
};

type Double = Extract<NonNullable<ValueGrid["stored"]>, { kind: "double" }>;

/** code * step + mean; a short last group is filled up with zeros, which a slice removes. */
const doubleScales = (
  name: string,
  dims: readonly number[],
  { codes, groupSize, steps, mean }: Double,
  suffixed: Names,
) => {
  const single = steps.length === 1;
  const padded = single ? codes.length : steps.length * groupSize;
  const filled = new Int8Array(padded);
  filled.set(codes);
  const [stored, floats, step, centre] = [suffixed("q"), suffixed("f"), suffixed("g"), suffixed("c")];
  const [moved, sum, shape] = [suffixed("m"), suffixed("a"), suffixed("d")];
  const weights: (readonly [string, Tensor])[] = [
    [stored, tensor("int8", [steps.length, padded / steps.length], filled)],
    [step, tensor("float32", [steps.length, 1], steps)],
    [centre, tensor("float32", [], Float32Array.of(mean))],
    [shape, tensor("int64", [dims.length], BigInt64Array.from(dims, BigInt))],
  ];
  const nodes: Node[] = [
    castNode(stored, floats, "float32"),
    makeNode("Mul", [floats, step], [moved]),
    makeNode("Add", [moved, centre], [sum]),
  ];
  let current = sum;
  if (padded !== codes.length) {
    const [flat, line, cut] = [suffixed("n"), suffixed("l"), suffixed("k")];
    const [from, to] = [suffixed("0"), suffixed("1")];
    weights.push([line, whole(-1)], [from, whole(0)], [to, whole(codes.length)]);
    nodes.push(makeNode("Reshape", [current, line], [flat]), makeNode("Slice", [flat, from, to], [cut]));
    current = cut;
  }
  nodes.push(makeNode("Reshape", [current, shape], [name]));
  return { nodes, weights };
};

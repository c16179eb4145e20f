import { tensor, toHalf } from "@espalier/core";
import type { Names, Piece } from "./piece.ts";
import { castNode } from "./scales.ts";

/** A float32 constant stored as float16 and cast back; onnxruntime folds the `Cast` when it loads the model. */
export const storeHalf = (name: string, dims: readonly number[], values: Float32Array, fresh: Names): Piece => {
  const half = fresh(`${name}_h`);
  return {
    nodes: [castNode(half, name, "float32")],
    weights: new Map([[half, tensor("float16", dims, toHalf(values))]]),
  };
};

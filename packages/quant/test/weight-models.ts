import { attrs, type Feeds, type Model, type Tensor, tensor } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { nodeOf } from "./runtimes.ts";

export const linear = (K: number, N: number): Model =>
  tinyModel({
    inputs: { x: ["float32", [3, K]] },
    outputs: ["y"],
    weights: { w: gaussian([K, N], 1) },
    nodes: [nodeOf("MatMul", ["x", "w"], "y")],
    opset: 21,
  });

export const gemm = (transB: number): Model =>
  tinyModel({
    inputs: { x: ["float32", [3, 64]] },
    outputs: ["y"],
    weights: { w: gaussian(transB ? [48, 64] : [64, 48], 1), b: gaussian([48], 2) },
    nodes: [nodeOf("Gemm", ["x", "w", "b"], "y", { transB: attrs.int(transB) })],
  });

export const conv = (dims: readonly number[], group: number, op = "Conv"): Model =>
  tinyModel({
    inputs: { x: ["float32", [1, op === "Conv" ? dims[1]! * group : dims[0]!, ...dims.slice(2).map(() => 6)]] },
    outputs: ["y"],
    weights: { w: gaussian(dims, 1) },
    nodes: [nodeOf(op, ["x", "w"], "y", { group: attrs.int(group) })],
    opset: 9,
  });

export const table = (rows: number, width: number): Model =>
  tinyModel({
    inputs: { ids: ["int64", [4]] },
    outputs: ["y"],
    weights: { w: gaussian([rows, width], 1) },
    nodes: [nodeOf("Gather", ["w", "ids"], "y")],
  });

export const lstm = (): Model =>
  tinyModel({
    inputs: { x: ["float32", [5, 1, 24]] },
    outputs: ["y"],
    weights: { w: gaussian([1, 128, 24], 1, 0.2), r: gaussian([1, 128, 32], 2, 0.2) },
    nodes: [nodeOf("LSTM", ["x", "w", "r"], "y", { hidden_size: attrs.int(32) })],
  });

export const batched = (): Model =>
  tinyModel({
    inputs: { x: ["float32", [2, 3, 40]] },
    outputs: ["y"],
    weights: { w: gaussian([2, 40, 24], 1) },
    nodes: [nodeOf("MatMul", ["x", "w"], "y")],
  });

/** Random inputs; ids among 8 rows. */
export const feedsOf = (model: Model): Feeds =>
  Object.fromEntries(
    model.graph.inputs.map(({ name, type }) => {
      const shape = (type as { shape: readonly number[] }).shape;
      const ids = tensor("int64", [4], BigInt64Array.from([0n, 5n, 1n, 7n]));
      return [name, name === "ids" ? ids : (gaussian(shape, 9) as Tensor)];
    }),
  );

/** Largest relative L2 error that plain rounding of Gaussian weights may show at a width. */
export const BOUNDS = { 8: 0.012, 7: 0.025, 6: 0.04, 5: 0.08, 4: 0.13, 3: 0.3, 2: 0.6 } as const;

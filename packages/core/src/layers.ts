import type { Node } from "./model.ts";
import type { Tensor } from "./tensor.ts";

export type LayerKind = "linear" | "conv" | "embedding" | "recurrent";

/**
 * The weight of a layer. `tensor` is as the file has it; `read` and `write` speak `[out, in, ...kernel]`
 * (embedding: `[rows, width]`; recurrent: `[directions * gates * hidden, in]`).
 */
export interface LayerWeight {
  /** Name of the initializer, or of the output of the `Constant` node, that holds the weight. */
  readonly name: string;
  readonly tensor: Tensor;
  /** [out, in, ...kernel] */
  readonly dims: readonly number[];
  /** The values as float32 in [out, in, ...kernel] order; read on demand, not kept. */
  read(): Promise<Float32Array>;
  /** The tensor in the file's own layout and element type for values in [out, in, ...kernel] order. */
  write(values: Float32Array): Tensor;
}

/** One place in a graph where a weight is used. */
export interface LayerUse {
  readonly node: Node;
  /** Index in `node.inputs` through which the weight comes. */
  readonly index: number;
  /** Subgraphs from the main graph to the node: node name or output, then attribute; empty in the main graph. */
  readonly path: readonly string[];
  /** Name of the value that meets the weight (the indices, for an embedding). */
  readonly input: string;
  readonly output: string;
}

/** A weight-bearing place of a model. A weight used twice is one layer with two uses. */
export interface Layer {
  /** Unique in the model, stable: the node's name, else its first output. */
  readonly name: string;
  readonly kind: LayerKind;
  readonly weight: LayerWeight;
  /** Name of the bias weight, where the operator itself takes one. */
  readonly bias?: string;
  /** Convolution groups; 1 elsewhere. */
  readonly groups: number;
  readonly uses: readonly [LayerUse, ...LayerUse[]];
  /** `uses[0]`, the usual case, at hand. */
  readonly node: Node;
  readonly input: string;
  readonly output: string;
  readonly path: readonly string[];
}

import type { Graph, Node } from "./model.ts";
import type { Tensor } from "./tensor.ts";

export type LayerKind = "linear" | "conv" | "embedding" | "recurrent";

/**
 * How a weight lies in its file, for those who touch the file's own layout: with its dims taken as `split`, and its
 * axes put in this `order`, it is `[...out, ...in, ...kernel]`.
 */
export interface WeightLayout {
  /** The tensor's dims; of a grouped ConvTranspose, with the axis of the inputs split in groups and inputs. */
  readonly split: readonly number[];
  /** Axes of `split` in the order out, in, kernel. */
  readonly order: readonly number[];
  /** How many leading axes of `order` make up `out`. */
  readonly outAxes: number;
}

/**
 * The weight of a layer. `tensor` is as the file has it; `read` and `write` speak `[out, in, ...kernel]`
 * (embedding: `[rows, width]`; recurrent: `[directions * gates * hidden, in]`; a MatMul with a stack of matrices:
 * `[stack * out, in]`).
 */
export interface LayerWeight {
  /** Name of the initializer, or of the output of the `Constant` node, that holds the weight. */
  readonly name: string;
  /** The graph that holds it: the layer's own or one around it. Names are unique within a graph only. */
  readonly owner: Graph;
  readonly tensor: Tensor;
  /** [out, in, ...kernel] */
  readonly dims: readonly number[];
  readonly layout: WeightLayout;
  /** The values as float32 in [out, in, ...kernel] order: an array of its own, read on demand and not kept. */
  read(): Promise<Float32Array>;
  /**
   * The tensor in the file's own layout and element type for values in [out, in, ...kernel] order.
   *
   * @throws EspalierError `BAD_TENSOR` when there are not as many values as the weight has
   */
  write(values: Float32Array): Tensor;
}

/** One place in a graph where a weight is used. */
export interface LayerUse {
  readonly node: Node;
  /**
   * Index in `node.inputs` through which the weight comes: by its own name, or through `Identity`, `Transpose` and
   * `Cast` nodes under another.
   */
  readonly index: number;
  /** As `Layer.kind`, of this use: a table of embeddings may also be the matrix of the last product. */
  readonly kind: LayerKind;
  /** As `weight.layout`, of this use: the same but where a matrix is used both ways round. */
  readonly layout: WeightLayout;
  /** Subgraphs from the main graph to the node: node name or output, then attribute; empty in the main graph. */
  readonly path: readonly string[];
  /** Name of the value that meets the weight (the indices, for an embedding); "" where it is left out. */
  readonly input: string;
  readonly output: string;
}

/** A weight-bearing place of a model. A weight used twice is one layer with two uses. */
export interface Layer {
  /** Unique in the model, stable: the node's name, else its first output. */
  readonly name: string;
  readonly kind: LayerKind;
  readonly weight: LayerWeight;
  /** Name of the bias, where the operator itself takes one. */
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

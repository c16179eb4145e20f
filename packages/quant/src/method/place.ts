import type { Layer, Node, Tensor } from "@espalier/core";

/** A use of a layer that can run on integers. */
export interface Place {
  readonly layer: Layer;
  readonly node: Node;
  /** The Relu or Clip behind it that its range stands for, or the node itself. */
  readonly last: Node;
  readonly bias: Tensor | undefined;
}

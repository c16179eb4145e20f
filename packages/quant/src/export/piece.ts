import { attrs, type Graph, type Model, type Node, storedBytes, type Tensor } from "@espalier/core";

/** Nodes and weights that take the place of a weight or of a node. */
export interface Piece {
  readonly nodes: readonly Node[];
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Nodes and weights that several pieces share; they go to the head of the main graph, once. */
  readonly shared?: readonly Piece[];
  /** Operator domains that the nodes need, with the least version. */
  readonly opsets?: ReadonlyMap<string, number>;
}

/** Domain of onnxruntime's own operators. */
export const MICROSOFT = "com.microsoft";
export const needsMicrosoft: ReadonlyMap<string, number> = new Map([[MICROSOFT, 1]]);

/** Framing of a tensor and of a node in onnx.proto, beside their names and data. */
const TENSOR_BYTES = 16;
const NODE_BYTES = 14;
const ATTRIBUTE_BYTES = 16;

/** About what a piece takes in a file: its weights' data, and names and framing; without what it shares. */
export const pieceBytes = ({ nodes, weights }: Piece): number => {
  let bytes = 0;
  for (const [name, tensor] of weights) bytes += storedBytes(tensor) + name.length + TENSOR_BYTES;
  for (const { inputs, outputs, opType, attributes } of nodes)
    bytes += NODE_BYTES + [...inputs, ...outputs, opType].join("..").length + ATTRIBUTE_BYTES * attributes.size;
  return bytes;
};

/** Gives a name that nothing in the model has. */
export type Names = (base: string) => string;

/** A function that returns its argument, or the argument with a number behind it where the model has that name. */
export const freshNames = (model: Model): Names => {
  const taken = new Set<string>();
  const visit = (graph: Graph) => {
    for (const { name } of [...graph.inputs, ...graph.outputs, ...graph.values]) taken.add(name);
    for (const name of graph.weights.keys()) taken.add(name);
    for (const { name } of graph.sparseWeights) taken.add(name);
    for (const node of graph.nodes) {
      for (const name of node.outputs) taken.add(name);
      for (const inner of attrs.subgraphsOf(node)) visit(inner.graph);
    }
  };
  visit(model.graph);
  return (base) => {
    let name = base;
    for (let i = 1; taken.has(name); i++) name = `${base}${i}`;
    taken.add(name);
    return name;
  };
};

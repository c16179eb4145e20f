import { subgraphsOf } from "../attrs.ts";
import { readsOf } from "../graph.ts";
import { slotsOf } from "../layers/slots.ts";
import type { Graph, Node } from "../model.ts";

/**
 * When a node is computed: `constant` nodes depend on no input of the model; `free` ones on nothing but inputs of the
 * model, sizes and constants, through no product with weights, so that they are computed anew wherever they are
 * needed; `own` nodes are computed once, in their place.
 */
export type NodeClass = "constant" | "free" | "own";

/** Operators beside those that take weights whose cost grows faster than their input, or that are not known. */
const PRODUCTS: ReadonlySet<string> = new Set(
  "ConvInteger QLinearConv MatMulInteger QLinearMatMul Einsum Attention LinearAttention DFT STFT Det Scan Loop SequenceMap TopK NonMaxSuppression".split(
    " ",
  ),
);

/** onnxruntime's own operators that only take rows of tables. */
const TABLES: ReadonlySet<string> = new Set(["EmbedLayerNormalization", "GatherBlockQuantized"]);

/** Operators that give something else on every call. */
const RANDOM: ReadonlySet<string> = new Set(
  "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial".split(" "),
);

/** Operators whose output tells lengths, whatever the input holds. */
const SIZES: ReadonlySet<string> = new Set(["Shape", "Size"]);

const isStandard = ({ domain }: Node) => domain === "";
const anyInside = (node: Node, test: (inner: Node) => boolean): boolean =>
  subgraphsOf(node).some(({ graph }) => graph.nodes.some((inner) => test(inner) || anyInside(inner, test)));

/** True for operators that take weights beside tables of embeddings, inside subgraphs too. */
export const isWeighty = (node: Node): boolean =>
  slotsOf(node).some(({ kind }) => kind !== "embedding") || anyInside(node, isWeighty);

const isCostly = (node: Node): boolean =>
  isWeighty(node) ||
  (isStandard(node) ? PRODUCTS.has(node.opType) : !TABLES.has(node.opType)) ||
  anyInside(node, isCostly);

const isRandom = (node: Node): boolean => (isStandard(node) && RANDOM.has(node.opType)) || anyInside(node, isRandom);

/** A size is a few numbers: it may cross every cut. */
export const isSize = (node: Node): boolean => isStandard(node) && SIZES.has(node.opType);

/** Class of each node of a graph, in order. */
export const classify = (graph: Graph): ReadonlyMap<Node, NodeClass> => {
  const constants = new Set([...graph.weights.keys(), ...graph.sparseWeights.map(({ name }) => name)]);
  const free = new Set(graph.inputs.map(({ name }) => name));
  const classes = new Map<Node, NodeClass>();
  for (const node of graph.nodes) {
    const reads = [...readsOf(node)];
    const repeats = !isRandom(node);
    const constant = repeats && reads.every((name) => constants.has(name));
    const cheap = repeats && !isCostly(node) && reads.every((name) => constants.has(name) || free.has(name));
    classes.set(node, constant ? "constant" : cheap ? "free" : "own");
    const known = constant ? constants : cheap || isSize(node) ? free : undefined;
    for (const output of node.outputs) known?.add(output);
  }
  return classes;
};

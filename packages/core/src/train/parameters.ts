import { EspalierError } from "../errors.ts";
import { constantValue, labelOf, type Scope, walkGraphs } from "../graph.ts";
import { layers } from "../layers/find-layers.ts";
import type { Graph, Model, Node } from "../model.ts";
import { isFloatType } from "../numeric/floats.ts";
import { sizeOf, type Tensor } from "../tensor.ts";

/** A constant of a model that may be trained. */
export interface Parameter {
  /** Its name; of one in a subgraph, behind the path to it. Unique in the model. */
  readonly key: string;
  readonly name: string;
  readonly owner: Graph;
  readonly tensor: Tensor;
  readonly dims: readonly number[];
  /** The nodes that read it, with the input through which they do. */
  readonly uses: readonly { readonly node: Node; readonly index: number }[];
}

/** Which parameters are trained: globs over their names and the names and operators of their nodes, or a function. */
export type TrainFilter = string | readonly string[] | ((parameter: Parameter) => boolean);

/** Factors and summands of norms, by their inputs. */
const NORM_SLOTS: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [1, 2],
  GroupNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  PRelu: [1],
  RMSNormalization: [1],
  SimplifiedLayerNormalization: [1],
  SkipLayerNormalization: [2, 3, 4],
  SkipSimplifiedLayerNormalization: [2, 3],
};

const keyOf = (path: readonly string[], name: string): string => [...path, name].join("/");

/** Values of a graph that hang on the output of a layer. */
const behindLayers = ({ graph }: Scope, layerOutputs: ReadonlySet<string>): Set<string> => {
  const found = new Set<string>();
  for (const { inputs, outputs } of graph.nodes)
    if (outputs.some((name) => layerOutputs.has(name)) || inputs.some((name) => found.has(name)))
      for (const name of outputs) found.add(name);
  return found;
};

const constantsOf = (graph: Graph): [string, Tensor][] => {
  const found = [...graph.weights];
  for (const node of graph.nodes) {
    const value = node.domain === "" && node.opType === "Constant" ? constantValue(node) : undefined;
    if (value) found.push([node.outputs[0], value]);
  }
  return found;
};

/** Every constant of every graph of a model, by key. */
export const parametersOf = (model: Model): Map<string, Parameter> => {
  const all = new Map<string, Parameter>();
  for (const { graph, path } of walkGraphs(model)) {
    const uses = new Map<string, { node: Node; index: number }[]>();
    for (const node of graph.nodes)
      node.inputs.forEach((name, index) => {
        const list = uses.get(name);
        if (list) list.push({ node, index });
        else uses.set(name, [{ node, index }]);
      });
    for (const [name, tensor] of constantsOf(graph)) {
      const key = keyOf(path, name);
      all.set(key, { key, name, owner: graph, tensor, dims: tensor.dims, uses: uses.get(name) ?? [] });
    }
  }
  return all;
};

const isVector = (dims: readonly number[]) => dims.filter((dim) => dim !== 1).length === 1;

/**
 * What is trained where nobody says: weights and biases of layers, factors and summands of norms, and vectors that are
 * added to or multiplied with what came out of a layer (norms and biases written out). Not tables of angles, limits,
 * scales and running statistics.
 */
const usual = (model: Model): ((parameter: Parameter) => boolean) => {
  const all = layers(model);
  const weights = new Set(all.map(({ weight }) => weight.name));
  const biases = new Set(all.flatMap(({ bias }) => (bias === undefined ? [] : [bias])));
  const outputs = new Set(all.flatMap(({ uses }) => uses.map((use) => use.output)));
  const behind = new Map([...walkGraphs(model)].map((scope) => [scope.graph, behindLayers(scope, outputs)]));
  return ({ name, owner, dims, uses }) => {
    if (weights.has(name) || biases.has(name)) return true;
    return uses.some(({ node, index }) => {
      if (Object.hasOwn(NORM_SLOTS, node.opType)) return NORM_SLOTS[node.opType].includes(index);
      if ((node.opType !== "Add" && node.opType !== "Mul") || !isVector(dims)) return false;
      return behind.get(owner)?.has(node.inputs[1 - index]) === true;
    });
  };
};

const patternOf = (glob: string): RegExp =>
  new RegExp(`^${glob.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);

/** Keys of the parameters that a filter chooses; none for []. @throws EspalierError `BAD_OPTION` where it finds none */
export const trainedKeys = (model: Model, filter: TrainFilter | undefined): Set<string> => {
  const parameters = [...parametersOf(model).values()].filter(
    ({ tensor, uses }) => isFloatType(tensor.type) && sizeOf(tensor.dims) > 0 && uses.length > 0,
  );
  const chosen = () => {
    if (filter === undefined) return usual(model);
    if (typeof filter === "function") return filter;
    const patterns = (typeof filter === "string" ? [filter] : filter).map(patternOf);
    return ({ key, uses }: Parameter) => {
      const names = [key, ...uses.flatMap(({ node }) => [labelOf(node), node.opType])];
      return patterns.some((pattern) => names.some((name) => pattern.test(name)));
    };
  };
  const keys = new Set(parameters.filter(chosen()).map(({ key }) => key));
  if (keys.size > 0 || (typeof filter === "object" && filter.length === 0)) return keys;
  throw new EspalierError(
    "BAD_OPTION",
    "core/train",
    `none of the ${parameters.length} float weights is trained${typeof filter === "function" || filter === undefined ? "" : ` by ${JSON.stringify(filter)}`}. Name weights or layers that the model has.`,
  );
};

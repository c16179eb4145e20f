import {
  type Attribute,
  attrs,
  type Draft,
  edit,
  type FloatType,
  floatTensor,
  type Graph,
  type GraphDraft,
  type Layer,
  type LayerUse,
  labelOf,
  type Model,
  makeNode,
  type Node,
  permute,
  type Tensor,
} from "@espalier/core";
import { scopesOf } from "./scopes.ts";

/** Factors of the weights of layers that see one input: `down` is theirs in common. */
export interface Factored {
  readonly layers: readonly Layer[];
  readonly rank: number;
  readonly groups: number;
  /** [groups * rank, n] */
  readonly down: Float32Array;
  /** [groups * m, rank] for each layer */
  readonly ups: readonly Float32Array[];
}

/** First IR version whose initializers need not be graph inputs. */
const FREE_INITIALIZERS = 4;

/** A matrix in the owner's graph, in whichever orientation a node wants; the first that is asked for is stored. */
const stored = (
  owner: GraphDraft,
  hint: string,
  type: FloatType,
  [m, n]: readonly [number, number],
  values: Float32Array,
) => {
  let first: { readonly name: string; readonly turned: boolean } | undefined;
  const others = new Map<GraphDraft, string>();
  return (user: GraphDraft, turned: boolean): string => {
    if (!first) {
      const tensor: Tensor = turned
        ? floatTensor(type, [n, m], permute(values, [m, n], [1, 0]))
        : floatTensor(type, [m, n], values);
      first = { name: owner.addWeight(hint, tensor), turned };
    }
    if (first.turned === turned) return first.name;
    const known = others.get(user);
    if (known !== undefined) return known;
    const name = user.uniqueName(`${hint}_t`);
    user.add(makeNode("Transpose", [first.name], [name], { perm: attrs.ints([1, 0]) }, { name }));
    others.set(user, name);
    return name;
  };
};

type Stored = (user: GraphDraft, turned: boolean) => string;

const picked = (node: Node, names: readonly string[]): Record<string, Attribute> =>
  Object.fromEntries([...node.attributes].filter(([name]) => names.includes(name)));

/** True where a node stores its weight [in, out]. */
const isTurned = ({ node, index }: LayerUse): boolean => {
  if (node.opType === "MatMul") return index === 1;
  return index === 1 ? attrs.intOf(node, "transB", 0) === 0 : attrs.intOf(node, "transA", 0) !== 0;
};

interface Pair {
  /** The node that makes the narrow value, or none where another layer's does. */
  readonly first?: Node;
  readonly second: Node;
}

const namesOf = (graph: GraphDraft, { node }: LayerUse) => {
  const label = labelOf(node);
  return { hidden: graph.uniqueName(`${label}_down`), up: node.name === "" ? "" : `${node.name}_up` };
};

const tail = (inputs: readonly string[], from: number) => inputs.slice(from);

const linearPair = (graph: GraphDraft, use: LayerUse, down: Stored, up: Stored, made?: string): Pair => {
  const { node, index, input } = use;
  const { hidden, up: name } = namesOf(graph, use);
  const turned = isTurned(use);
  const [narrow, wide] = [down(graph, turned), up(graph, turned)];
  const sides = (x: string, w: string) => (index === 1 ? [x, w] : [w, x]);
  const gemm = node.opType === "Gemm";
  // The input keeps the way it is turned; the weights keep the way they are stored.
  const before = gemm ? picked(node, ["transA", "transB"]) : {};
  const after = gemm ? picked(node, ["alpha", "beta", index === 1 ? "transB" : "transA"]) : {};
  return {
    ...(made === undefined && {
      first: makeNode(node.opType, sides(input, narrow), [hidden], before, { name: hidden }),
    }),
    second: {
      ...node,
      name,
      inputs: [...sides(made ?? hidden, wide), ...tail(node.inputs, 2)],
      attributes: new Map(Object.entries(after)),
    },
  };
};

/** Gather of narrow rows, widened by a product. */
const tablePair = (graph: GraphDraft, use: LayerUse, down: Stored, up: Stored): Pair => {
  const { node } = use;
  const { hidden, up: name } = namesOf(graph, use);
  return {
    first: { ...node, name: hidden, inputs: [up(graph, false), node.inputs[1]], outputs: [hidden] },
    second: makeNode("MatMul", [hidden, down(graph, false)], node.outputs, {}, { name }),
  };
};

const WINDOW = ["auto_pad", "dilations", "kernel_shape", "pads", "strides"];

/** The window goes with the kernel: with the first of a convolution, with the second of a transposed one. */
const convPair = (graph: GraphDraft, use: LayerUse, down: string, up: string, groups: number, rank: number): Pair => {
  const { node, input } = use;
  const { hidden, up: name } = namesOf(graph, use);
  const group: Record<string, Attribute> = groups === 1 ? {} : { group: attrs.int(groups) };
  const ones = attrs.ints(new Array<number>(rank).fill(1));
  const point = { ...group, kernel_shape: ones };
  const transposed = node.opType === "ConvTranspose";
  return {
    first: makeNode("Conv", [input, down], [hidden], transposed ? point : { ...group, ...picked(node, WINDOW) }, {
      name: hidden,
    }),
    second: {
      ...node,
      name,
      inputs: [hidden, up, ...tail(node.inputs, 2)],
      ...(!transposed && { attributes: new Map<string, Attribute>(Object.entries(point)) }),
    },
  };
};

const putConv = ({ layers: [layer], rank, groups, down, ups }: Factored, owner: GraphDraft, draftOf: DraftOf) => {
  const { weight, uses, node } = layer;
  const type = weight.tensor.type as FloatType;
  const [out, inputs, ...kernel] = weight.dims;
  const ones = kernel.map(() => 1);
  const [perGroup, taps] = [out / groups, kernel.reduce((a, b) => a * b, 1)];
  const transposed = node.opType === "ConvTranspose";
  // [groups, out, taps, rank] -> [groups, rank, out, taps], as ConvTranspose has its weights
  const upTensor = transposed
    ? floatTensor(
        type,
        [groups * rank, perGroup, ...kernel],
        permute(ups[0], [groups, perGroup * taps, rank], [0, 2, 1]),
      )
    : floatTensor(type, [out, rank, ...ones], ups[0]);
  const downTensor = floatTensor(type, [groups * rank, inputs, ...(transposed ? ones : kernel)], down);
  const names = [owner.addWeight(`${weight.name}_down`, downTensor), owner.addWeight(`${weight.name}_up`, upTensor)];
  for (const use of uses) {
    const graph = draftOf(use.path);
    const { first, second } = convPair(graph, use, names[0], names[1], groups, kernel.length);
    graph.replace(use.node, first!, second);
  }
};

type DraftOf = (path: readonly string[]) => GraphDraft;

const putLinear = ({ layers, rank, down, ups }: Factored, owner: GraphDraft, draftOf: DraftOf) => {
  const [{ weight }] = layers;
  const type = weight.tensor.type as FloatType;
  const narrow = stored(owner, `${weight.name}_down`, type, [rank, down.length / rank], down);
  let made: string | undefined;
  layers.forEach((layer, i) => {
    const wide = stored(owner, `${layer.weight.name}_up`, type, [ups[i].length / rank, rank], ups[i]);
    for (const use of layer.uses) {
      const graph = draftOf(use.path);
      const { first, second } =
        use.kind === "embedding" ? tablePair(graph, use, narrow, wide) : linearPair(graph, use, narrow, wide, made);
      graph.replace(use.node, ...(first ? [first] : []), second);
      if (layers.length > 1) made ??= first?.outputs[0];
    }
  });
};

/** The model with two layers, or a layer and several, in place of each that was factored. */
export const putFactors = (model: Model, all: readonly Factored[]): Model => {
  if (all.length === 0) return model;
  const scopes = scopesOf(model);
  return edit(model, (draft: Draft) => {
    const byPath = new Map(draft.graphs().map((graph) => [graph.path.join("\n"), graph]));
    const draftOf: DraftOf = (path) => byPath.get(path.join("\n"))!;
    const ownerOf = (graph: Graph) => draftOf(scopes.get(graph)!.path);
    draft.irVersion(FREE_INITIALIZERS);
    for (const factored of all) {
      const [{ kind, weight }] = factored.layers;
      const owner = ownerOf(weight.owner);
      const replaced = new Set(factored.layers.map((layer) => layer.weight.name));
      owner.inputs = owner.inputs.filter(({ name }) => !replaced.has(name));
      if (kind === "conv") putConv(factored, owner, draftOf);
      else putLinear(factored, owner, draftOf);
    }
  });
};

import { subgraphsOf } from "../attrs.ts";
import { EspalierError, isEspalierError } from "../errors.ts";
import { labelOf } from "../graph.ts";
import type { Graph, Node } from "../model.ts";
import type { Tensor } from "../tensor.ts";
import type { Call, Output, RunScope } from "./call.ts";
import { operatorOf } from "./operators.ts";
import { onHost } from "./ops/host.ts";
import type { TfTensor } from "./tf.ts";
import { device, host, type Value } from "./value.ts";

/** Where a value is read. */
export interface Read {
  readonly node: Node;
  readonly index: number;
  /** Name of the value. */
  readonly name: string;
  /** The tensor is [N, H, W, C] of what ONNX calls [N, C, H, W]. */
  readonly last: boolean;
}

/** What a node sees in place of a float value that it reads: fake quantization, masks, gates. */
export type ReadHook = (x: TfTensor, read: Read) => TfTensor;

export interface GraphRun {
  readonly scope: Omit<RunScope, "update">;
  /** Constants of each graph by name. */
  readonly constants: ReadonlyMap<Graph, ReadonlyMap<string, Value>>;
  readonly hook?: ReadHook | undefined;
  /** Is told what each node made. */
  readonly watch?: ((node: Node, outputs: readonly Value[]) => void) | undefined;
  /** New running statistics of a constant of a graph. */
  update(graph: Graph, name: string, value: TfTensor): void;
}

/** The values of one graph while it runs. */
export interface Frame {
  readonly graph: Graph;
  readonly values: Map<string, Value>;
  readonly parent?: Frame;
}

const find = (frame: Frame, name: string, run: GraphRun): Value | undefined => {
  for (let at: Frame | undefined = frame; at; at = at.parent) {
    const value = at.values.get(name) ?? run.constants.get(at.graph)?.get(name);
    if (value) return value;
  }
  return undefined;
};

const ownerOf = (frame: Frame, name: string, run: GraphRun): Graph | undefined => {
  for (let at: Frame | undefined = frame; at; at = at.parent)
    if (run.constants.get(at.graph)?.has(name)) return at.graph;
  return undefined;
};

const hooked = (value: Value | undefined, node: Node, index: number, { hook }: GraphRun): Value | undefined => {
  if (!hook || value?.kind !== "device" || value.tensor.dtype !== "float32") return value;
  const last = value.last === true;
  return { ...value, tensor: hook(value.tensor, { node, index, name: node.inputs[index], last }) };
};

const asValue = (output: Output): Value => ("kind" in output ? output : device(output as TfTensor));

const compute = (node: Node, inputs: readonly (Value | undefined)[], frame: Frame, run: GraphRun): Value[] => {
  const hosts = inputs.map((value) => (value?.kind === "host" ? value.tensor : undefined));
  // a subgraph's outputs and constants run without inputs; the rest is on the host when all its inputs are
  if (inputs.length > 0 && inputs.every((value, i) => value === undefined || hosts[i] !== undefined)) {
    const known = onHost(node, hosts as (Tensor | undefined)[]);
    if (known) return [host(known)];
  }
  const operator = operatorOf(node);
  if (!operator) throw new EspalierError("UNSUPPORTED", "core/train", unsupportedText([node]));
  const scope: RunScope = {
    ...run.scope,
    update(name, value) {
      const owner = ownerOf(frame, name, run);
      if (owner) run.update(owner, name, value);
    },
  };
  const call: Call = {
    tf: scope.tf,
    node,
    scope,
    inputs,
    branch(attribute) {
      const inner = subgraphsOf(node).find((found) => found.attribute === attribute);
      if (!inner)
        throw new EspalierError("BAD_MODEL", "core/train", `${node.opType} "${labelOf(node)}" has no ${attribute}.`);
      return runGraph({ graph: inner.graph, values: new Map(), parent: frame }, run);
    },
  };
  const made = operator(call);
  return (Array.isArray(made) ? (made as readonly Output[]) : [made as Output]).map(asValue);
};

/** Names nodes whose operators have no gradient here. */
export const unsupportedText = (nodes: readonly Node[]): string => {
  const byOperator = new Map<string, string[]>();
  for (const node of nodes) {
    const name = node.domain === "" ? node.opType : `${node.domain}.${node.opType}`;
    byOperator.set(name, [...(byOperator.get(name) ?? []), labelOf(node)]);
  }
  const listed = [...byOperator].map(([operator, labels]) => {
    const shown = labels.slice(0, 3).map((label) => `"${label}"`);
    return `${operator} (${shown.join(", ")}${labels.length > 3 ? ` and ${labels.length - 3} more` : ""})`;
  });
  return `has no gradient for ${listed.join("; ")}. Fold the model, or train a part without these nodes.`;
};

/** Runs a graph whose inputs are in `frame`: its outputs, in order. Runs inside a tidy of TensorFlow.js. */
export const runGraph = (frame: Frame, run: GraphRun): Value[] => {
  for (const node of frame.graph.nodes) {
    const inputs = node.inputs.map((name, index) =>
      name === "" ? undefined : hooked(find(frame, name, run), node, index, run),
    );
    const lost = node.inputs.find((name, i) => name !== "" && inputs[i] === undefined);
    if (lost !== undefined)
      throw new EspalierError("BAD_MODEL", "core/train", `"${labelOf(node)}" reads "${lost}", which nothing makes.`);
    let outputs: Value[];
    try {
      outputs = compute(node, inputs, frame, run);
    } catch (cause) {
      if (isEspalierError(cause)) throw cause;
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new EspalierError("RUNTIME", "core/train", `${node.opType} "${labelOf(node)}" failed: ${what}`, { cause });
    }
    node.outputs.forEach((name, i) => {
      if (name !== "" && outputs[i]) frame.values.set(name, outputs[i]);
    });
    run.watch?.(node, outputs);
  }
  return frame.graph.outputs.map(({ name }) => {
    const value = find(frame, name, run);
    if (!value) throw new EspalierError("BAD_MODEL", "core/train", `output "${name}" is made by no node.`);
    return value;
  });
};

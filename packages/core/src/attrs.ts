import { EspalierError } from "./errors.ts";
import type { Attribute, Graph, Node } from "./model.ts";
import type { Tensor } from "./tensor.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();

export const int = (value: number | bigint): Attribute => ({ kind: "int", value: BigInt(value) });
export const ints = (values: readonly (number | bigint)[]): Attribute => ({ kind: "ints", value: values.map(BigInt) });
export const float = (value: number): Attribute => ({ kind: "float", value });
export const floats = (values: readonly number[]): Attribute => ({ kind: "floats", value: values });
export const string = (value: string): Attribute => ({ kind: "string", value: utf8.encode(value) });
export const strings = (values: readonly string[]): Attribute => ({
  kind: "strings",
  value: values.map((v) => utf8.encode(v)),
});
export const tensorAttr = (value: Tensor): Attribute => ({ kind: "tensor", value });
export const graphAttr = (value: Graph): Attribute => ({ kind: "graph", value });

const wrongKind = (node: Node, name: string, wanted: string, found: string) =>
  new EspalierError(
    "BAD_MODEL",
    "core/attrs",
    `attribute "${name}" of ${node.opType} "${node.name}" is of kind ${found}, expected ${wanted}. The model is damaged.`,
  );

const read = <K extends Attribute["kind"]>(node: Node, name: string, kind: K) => {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return undefined;
  if (attribute.kind !== kind) throw wrongKind(node, name, kind, attribute.kind);
  return attribute as Extract<Attribute, { kind: K }>;
};

/** An integer attribute as a number; values beyond 2^53 lose their last bits (ONNX uses them as "to the end"). */
export const intOf = (node: Node, name: string, fallback: number): number => {
  const a = read(node, name, "int");
  return a ? Number(a.value) : fallback;
};
export const intsOf = (node: Node, name: string): number[] | undefined => read(node, name, "ints")?.value.map(Number);
export const floatOf = (node: Node, name: string, fallback: number): number =>
  read(node, name, "float")?.value ?? fallback;
export const floatsOf = (node: Node, name: string): readonly number[] | undefined => read(node, name, "floats")?.value;
export const stringOf = (node: Node, name: string): string | undefined => {
  const a = read(node, name, "string");
  return a && text.decode(a.value);
};
export const stringsOf = (node: Node, name: string): string[] | undefined =>
  read(node, name, "strings")?.value.map((v) => text.decode(v));
export const tensorOf = (node: Node, name: string): Tensor | undefined => read(node, name, "tensor")?.value;

/** Every subgraph of a node (`If`, `Loop`, `Scan` …), with the attribute that holds it. */
export const subgraphsOf = (node: Node): { readonly attribute: string; readonly graph: Graph }[] =>
  [...node.attributes].flatMap(([attribute, a]) => {
    if (a.kind === "graph") return [{ attribute, graph: a.value }];
    return a.kind === "graphs" ? a.value.map((graph) => ({ attribute, graph })) : [];
  });

/** The node with another graph in place of each of its subgraphs; the same node where all stay the same. */
export const mapSubgraphs = (node: Node, map: (graph: Graph) => Graph): Node => {
  let attributes: Map<string, Attribute> | undefined;
  const put = (name: string, attribute: Attribute) => {
    attributes = (attributes ?? new Map(node.attributes)).set(name, attribute);
  };
  for (const [name, a] of node.attributes) {
    if (a.kind === "graph") {
      const graph = map(a.value);
      if (graph !== a.value) put(name, { ...a, value: graph });
    } else if (a.kind === "graphs") {
      const graphs = a.value.map(map);
      if (graphs.some((graph, i) => graph !== a.value[i])) put(name, { ...a, value: graphs });
    }
  }
  return attributes ? { ...node, attributes } : node;
};

/** A new node; `attributes` are made with `int`, `ints`, `float`, `string`, `tensorAttr` … of this module. */
export const makeNode = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  { name = "", domain = "" }: { name?: string; domain?: string } = {},
): Node => ({ name, opType, domain, inputs, outputs, attributes: new Map(Object.entries(attributes)) });

import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  OperatorSetIdProto,
  TypeProto,
  ValueInfoProto,
} from "onnx-buf";
import { EspalierError } from "../errors.ts";
import type { Attribute, Dim, Graph, Model, ModelFunction, Node, ValueInfo, ValueType } from "../model.ts";
import { dataTypeOfCode } from "../tensor.ts";
import { type DecodeContext, decodeSparse, decodeTensor } from "./decode-tensor.ts";
import { markPristine } from "./origin.ts";

const damaged = (what: string) => new EspalierError("BAD_MODEL", "core/onnx", `${what}. The model is damaged.`);

/** The standard domain has two names in files. */
export const domainOf = (domain: string) => (domain === "ai.onnx" ? "" : domain);

/** A Map of distinct names. @throws EspalierError `BAD_MODEL` when one stands twice */
const distinct = <T>(entries: readonly (readonly [string, T])[], what: string): Map<string, T> => {
  const map = new Map(entries);
  if (map.size !== entries.length) {
    const seen = new Set<string>();
    const twice = entries.find(([name]) => seen.size === seen.add(name).size)?.[0];
    throw damaged(`${what} "${twice}" stands twice`);
  }
  return map;
};

const decodeType = (message: TypeProto): ValueType | undefined => {
  const { value } = message;
  switch (value.case) {
    case "tensorType":
    case "sparseTensorType": {
      const shape = value.value.shape?.dim.map(({ value: dim }): Dim => {
        if (dim.case === "dimValue") return Number(dim.value);
        return dim.case === "dimParam" ? dim.value : null;
      });
      return {
        kind: value.case === "tensorType" ? "tensor" : "sparse",
        type: dataTypeOfCode(value.value.elemType),
        ...(shape && { shape }),
      };
    }
    case "sequenceType":
    case "optionalType": {
      const element = value.value.elemType && decodeType(value.value.elemType);
      return { kind: value.case === "sequenceType" ? "sequence" : "optional", ...(element && { element }) };
    }
    case "mapType": {
      const inner = value.value.valueType && decodeType(value.value.valueType);
      return { kind: "map", key: dataTypeOfCode(value.value.keyType), ...(inner && { value: inner }) };
    }
    default:
      return undefined;
  }
};

const decodeValueInfo = (message: ValueInfoProto): ValueInfo => {
  const type = message.type && decodeType(message.type);
  return markPristine({ name: message.name, ...(type && { type }), origin: message }, message);
};

/** Attribute types by number. Source: onnx.proto, AttributeProto.AttributeType. */
const kinds: Readonly<Record<number, Attribute["kind"]>> = {
  1: "float",
  2: "int",
  3: "string",
  4: "tensor",
  5: "graph",
  6: "floats",
  7: "ints",
  8: "strings",
  9: "tensors",
  10: "graphs",
  11: "sparse",
  12: "sparses",
  13: "type",
  14: "types",
};

/** Files before IR version 2 leave the type out; then the field that is set tells it. */
const guessKind = (m: AttributeProto): Attribute["kind"] | undefined => {
  const set = (key: string) => Object.hasOwn(m, key);
  const lists = { floats: m.floats, ints: m.ints, strings: m.strings, tensors: m.tensors, graphs: m.graphs };
  const list = (Object.keys(lists) as (keyof typeof lists)[]).find((key) => lists[key].length > 0);
  if (list) return list;
  if (set("f")) return "float";
  if (set("i")) return "int";
  if (set("s")) return "string";
  if (m.t) return "tensor";
  return m.g ? "graph" : undefined;
};

const decodeAttribute = (m: AttributeProto, context: DecodeContext): Attribute => {
  const kind = m.refAttrName !== "" ? "ref" : (kinds[m.type] ?? guessKind(m));
  const need = <T>(value: T | undefined): T => {
    if (value === undefined) throw damaged(`attribute "${m.name}" has no value`);
    return value;
  };
  const value = (): unknown => {
    switch (kind) {
      case "ref":
        return m.refAttrName;
      case "float":
        return m.f;
      case "int":
        return m.i;
      case "string":
        return m.s;
      case "tensor":
        return decodeTensor(need(m.t), context);
      case "graph":
        return decodeGraph(need(m.g), context);
      case "sparse":
        return decodeSparse(need(m.sparseTensor), context);
      case "type":
        return need(decodeType(need(m.tp)));
      case "floats":
        return m.floats;
      case "ints":
        return m.ints;
      case "strings":
        return m.strings;
      case "tensors":
        return m.tensors.map((t) => decodeTensor(t, context));
      case "graphs":
        return m.graphs.map((g) => decodeGraph(g, context));
      case "sparses":
        return m.sparseTensors.map((t) => decodeSparse(t, context));
      case "types":
        return m.typeProtos.map((t) => need(decodeType(t)));
      default:
        throw damaged(`attribute "${m.name}" is of type ${m.type}, which ONNX does not define`);
    }
  };
  return markPristine({ kind, value: value(), origin: m } as Attribute, m);
};

const decodeNode = (message: NodeProto, context: DecodeContext): Node => {
  const attributes = distinct(
    message.attribute.map((a) => [a.name, decodeAttribute(a, context)] as const),
    `in ${message.opType} "${message.name}" the attribute`,
  );
  const node: Node = {
    name: message.name,
    opType: message.opType,
    domain: domainOf(message.domain),
    inputs: message.input,
    outputs: message.output,
    attributes,
    origin: message,
  };
  return markPristine(node, message);
};

const decodeGraph = (message: GraphProto, context: DecodeContext): Graph => {
  const graph: Graph = {
    name: message.name,
    nodes: message.node.map((node) => decodeNode(node, context)),
    inputs: message.input.map(decodeValueInfo),
    outputs: message.output.map(decodeValueInfo),
    values: message.valueInfo.map(decodeValueInfo),
    weights: distinct(
      message.initializer.map((t) => [t.name, decodeTensor(t, context)] as const),
      "initializer",
    ),
    sparseWeights: message.sparseInitializer.map((t) => decodeSparse(t, context)),
    origin: message,
  };
  return markPristine(graph, message);
};

/** A version as a number. @throws EspalierError `BAD_MODEL` for one that no number holds */
const versionOf = (version: bigint, what: string): number => {
  const number = Number(version);
  if (Number.isSafeInteger(number)) return number;
  throw new EspalierError("BAD_MODEL", "core/onnx", `${what} is ${version}. The file is damaged.`);
};

const decodeOpsets = (messages: OperatorSetIdProto[]): ReadonlyMap<string, number> =>
  markPristine(
    new Map(
      messages.map(({ domain, version }) => [
        domainOf(domain),
        versionOf(version, `the version of operators "${domain}"`),
      ]),
    ),
    messages,
  );

const decodeFunction = (message: FunctionProto, context: DecodeContext): ModelFunction =>
  markPristine(
    {
      domain: domainOf(message.domain),
      name: message.name,
      inputs: message.input,
      outputs: message.output,
      nodes: message.node.map((node) => decodeNode(node, context)),
      opsets: decodeOpsets(message.opsetImport),
      origin: message,
    },
    message,
  );

/** The model of a message. @throws EspalierError `BAD_MODEL`, `BAD_TENSOR` */
export const decodeModel = (message: ModelProto, context: DecodeContext): Model => {
  if (!message.graph)
    throw new EspalierError("BAD_MODEL", "core/onnx", "the file holds no graph. It is not an ONNX model.");
  const metadata = new Map(message.metadataProps.map(({ key, value }) => [key, value]));
  const model: Model = {
    irVersion: versionOf(message.irVersion, "the IR version"),
    opsets: decodeOpsets(message.opsetImport),
    graph: decodeGraph(message.graph, context),
    functions: message.functions.map((f) => decodeFunction(f, context)),
    metadata: markPristine(metadata, message.metadataProps),
    origin: message,
  };
  return markPristine(model, message);
};

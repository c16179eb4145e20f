import { create } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type OperatorSetIdProto,
  OperatorSetIdProtoSchema,
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  type TypeProto,
  TypeProto_MapSchema,
  TypeProto_OptionalSchema,
  TypeProto_SequenceSchema,
  TypeProto_SparseTensorSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import type { Attribute, Dim, Graph, Model, ModelFunction, Node, ValueInfo, ValueType } from "../model.ts";
import { type DataType, dataTypes } from "../tensor.ts";
import { domainOf } from "./decode.ts";
import { type EncodeContext, encodeSparse, encodeTensor } from "./encode-tensor.ts";
import { pristineMessage, put, startFrom } from "./origin.ts";

const codeOf = (type: DataType | undefined) => (type === undefined ? 0 : dataTypes[type].code);

const encodeDim = (dim: Dim) =>
  create(TensorShapeProto_DimensionSchema, {
    value:
      typeof dim === "number"
        ? { case: "dimValue", value: BigInt(dim) }
        : dim === null
          ? { case: undefined }
          : { case: "dimParam", value: dim },
  });

const encodeType = (type: ValueType): TypeProto => {
  const wrap = (value: TypeProto["value"]) => create(TypeProtoSchema, { value });
  switch (type.kind) {
    case "tensor":
    case "sparse": {
      const shape = type.shape && create(TensorShapeProtoSchema, { dim: type.shape.map(encodeDim) });
      const init = { elemType: codeOf(type.type), ...(shape && { shape }) };
      return type.kind === "tensor"
        ? wrap({ case: "tensorType", value: create(TypeProto_TensorSchema, init) })
        : wrap({ case: "sparseTensorType", value: create(TypeProto_SparseTensorSchema, init) });
    }
    case "sequence":
    case "optional": {
      const init = type.element ? { elemType: encodeType(type.element) } : {};
      return type.kind === "sequence"
        ? wrap({ case: "sequenceType", value: create(TypeProto_SequenceSchema, init) })
        : wrap({ case: "optionalType", value: create(TypeProto_OptionalSchema, init) });
    }
    case "map": {
      const init = { keyType: codeOf(type.key), ...(type.value && { valueType: encodeType(type.value) }) };
      return wrap({ case: "mapType", value: create(TypeProto_MapSchema, init) });
    }
  }
};

const encodeValueInfo = (info: ValueInfo): ValueInfoProto => {
  const pristine = pristineMessage<ValueInfoProto>(info);
  if (pristine) return pristine;
  const message = startFrom(ValueInfoProtoSchema, info.origin);
  put(message, "name", info.name);
  if (info.type) message.type = encodeType(info.type);
  // a type message that is there and says nothing stays
  else if (message.type?.value.case !== undefined) delete message.type;
  return message;
};

const attributeTypes: Readonly<Record<Attribute["kind"], number>> = {
  ref: 0,
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparse: 11,
  sparses: 12,
  type: 13,
  types: 14,
};

const own = <T>(bytes: T) => bytes as T & Uint8Array<ArrayBuffer>;

const encodeValue = (attribute: Attribute, context: EncodeContext): Partial<AttributeProto> => {
  switch (attribute.kind) {
    case "ref":
      return { refAttrName: attribute.value };
    case "float":
      return { f: attribute.value };
    case "int":
      return { i: attribute.value };
    case "string":
      return { s: own(attribute.value) };
    case "tensor":
      return { t: encodeTensor(attribute.value, undefined, context) };
    case "graph":
      return { g: encodeGraph(attribute.value, context) };
    case "sparse":
      return { sparseTensor: encodeSparse(attribute.value, context) };
    case "type":
      return { tp: encodeType(attribute.value) };
    case "floats":
      return { floats: [...attribute.value] };
    case "ints":
      return { ints: [...attribute.value] };
    case "strings":
      return { strings: attribute.value.map(own) };
    case "tensors":
      return { tensors: attribute.value.map((t) => encodeTensor(t, undefined, context)) };
    case "graphs":
      return { graphs: attribute.value.map((g) => encodeGraph(g, context)) };
    case "sparses":
      return { sparseTensors: attribute.value.map((t) => encodeSparse(t, context)) };
    case "types":
      return { typeProtos: attribute.value.map(encodeType) };
  }
};

const holdsTensors = ({ kind }: Attribute) => /^(tensor|graph|sparse)s?$/.test(kind);

const encodeAttribute = (name: string, attribute: Attribute, context: EncodeContext): AttributeProto => {
  const pristine = pristineMessage<AttributeProto>(attribute);
  if (pristine?.name === name && !holdsTensors(attribute)) return pristine;
  const origin = attribute.origin as AttributeProto | undefined;
  const message = startFrom(AttributeProtoSchema, pristine ?? undefined);
  if (!pristine && origin?.docString) message.docString = origin.docString;
  put(message, "name", name);
  if (!pristine) message.type = attribute.kind === "ref" ? (origin?.type ?? 0) : attributeTypes[attribute.kind];
  return Object.assign(message, encodeValue(attribute, context));
};

const encodeNode = (node: Node, context: EncodeContext): NodeProto => {
  const pristine = pristineMessage<NodeProto>(node);
  if (pristine && ![...node.attributes.values()].some(holdsTensors)) return pristine;
  const message = startFrom(NodeProtoSchema, node.origin);
  put(message, "name", node.name);
  put(message, "opType", node.opType);
  if (message.domain !== "ai.onnx" || node.domain !== "") put(message, "domain", node.domain);
  message.input = [...node.inputs];
  message.output = [...node.outputs];
  message.attribute = [...node.attributes].map(([name, attribute]) => encodeAttribute(name, attribute, context));
  return message;
};

const encodeGraph = (graph: Graph, context: EncodeContext): GraphProto => {
  const message = startFrom(GraphProtoSchema, graph.origin);
  put(message, "name", graph.name);
  message.node = graph.nodes.map((node) => encodeNode(node, context));
  message.input = graph.inputs.map(encodeValueInfo);
  message.output = graph.outputs.map(encodeValueInfo);
  message.valueInfo = graph.values.map(encodeValueInfo);
  message.initializer = [...graph.weights].map(([name, t]) => encodeTensor(t, name, context));
  message.sparseInitializer = graph.sparseWeights.map((t) => encodeSparse(t, context));
  return message;
};

/** Imports that were there keep their form: the standard domain may be left out, empty or "ai.onnx". */
const encodeOpsets = (opsets: ReadonlyMap<string, number>, before: OperatorSetIdProto[] = []): OperatorSetIdProto[] =>
  pristineMessage<OperatorSetIdProto[]>(opsets) ??
  [...opsets].map(([domain, version]) => {
    const origin = before.find((entry) => domainOf(entry.domain) === domain);
    const message = startFrom(OperatorSetIdProtoSchema, origin ?? create(OperatorSetIdProtoSchema, { domain }));
    put(message, "version", BigInt(version));
    return message;
  });

const encodeMetadata = (metadata: ReadonlyMap<string, string>): StringStringEntryProto[] =>
  pristineMessage<StringStringEntryProto[]>(metadata) ??
  [...metadata].map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));

const encodeFunction = (f: ModelFunction, context: EncodeContext): FunctionProto => {
  const message = startFrom(FunctionProtoSchema, f.origin);
  put(message, "name", f.name);
  put(message, "domain", f.domain);
  message.input = [...f.inputs];
  message.output = [...f.outputs];
  message.node = f.nodes.map((node) => encodeNode(node, context));
  message.opsetImport = encodeOpsets(f.opsets, (f.origin as FunctionProto | undefined)?.opsetImport);
  return message;
};

/** The message of a model. Tensor data goes to `context`; parts that did not change are the messages they came from. */
export const encodeModel = (model: Model, context: EncodeContext): ModelProto => {
  const message = startFrom(ModelProtoSchema, model.origin);
  put(message, "irVersion", BigInt(model.irVersion));
  message.opsetImport = encodeOpsets(model.opsets, (model.origin as ModelProto | undefined)?.opsetImport);
  message.graph = encodeGraph(model.graph, context);
  message.functions = model.functions.map((f) => encodeFunction(f, context));
  message.metadataProps = encodeMetadata(model.metadata);
  return message;
};

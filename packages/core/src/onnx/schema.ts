/**
 * The messages of onnx.proto on the way to a tensor, and the fields that lead there. This is all that the reader and
 * the writer need to know to keep large tensor data out of the protobuf layer.
 */
export type MessageKind = "model" | "graph" | "node" | "attribute" | "tensor" | "sparse" | "function" | "training";

const TENSOR_FIELD = { float_data: 4, raw_data: 9, double_data: 10 } as const;

/** Field number → kind of the message in it. Source: onnx.proto, IR version 13. */
export const children: Readonly<Record<MessageKind, Readonly<Record<number, MessageKind>>>> = {
  model: { 7: "graph", 20: "training", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  tensor: {},
  sparse: { 1: "tensor", 2: "tensor" },
  function: { 7: "node", 11: "attribute" },
  training: { 1: "graph", 2: "graph" },
};

/** Fields of a TensorProto whose content is an array of little-endian values, as it lies in memory. */
export const payloadFields: ReadonlySet<number> = new Set(Object.values(TENSOR_FIELD));
export const RAW_DATA: number = TENSOR_FIELD.raw_data;
export const FLOAT_DATA: number = TENSOR_FIELD.float_data;
export const DOUBLE_DATA: number = TENSOR_FIELD.double_data;

/**
 * Field of a TensorProto, in the skeleton only, that stands for data kept outside: a varint, the index of the payload.
 * Protobuf keeps 19000 to 19999 for its own use, so no file has it.
 */
export const PAYLOAD_MARK = 19900;

/** Data shorter than this stays in the protobuf message. */
export const INLINE_BYTES = 1024;

/** Nesting of subgraphs that a file may have; each level is three messages deep, and protobuf stops at 100. */
export const MAX_DEPTH = 90;

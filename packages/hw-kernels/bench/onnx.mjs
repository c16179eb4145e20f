// Enough of ONNX's protobuf to write models of one node. Field numbers: onnx.proto3.
const FLOAT = 1;

const varint = (value) => {
  const out = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    const byte = Number(rest & 0x7fn);
    if (rest < 0x80n) return [...out, byte];
    out.push(byte | 0x80);
  }
};
const number = (field, value) => Buffer.from([...varint(field << 3), ...varint(value)]);
const bytes = (field, ...parts) => {
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part))));
  return Buffer.concat([Buffer.from([...varint((field << 3) | 2), ...varint(body.length)]), body]);
};

/** TensorProto. `type` is ONNX's element type. */
export const tensor = (name, dims, data, type = FLOAT) => {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat([...dims.map((dim) => number(1, dim)), number(2, type), bytes(8, name), bytes(9, raw)]);
};

const valueInfo = ({ name, dims, type = FLOAT }) => {
  const shape = bytes(2, ...dims.map((dim) => bytes(1, number(1, dim))));
  return Buffer.concat([bytes(1, name), bytes(2, bytes(1, number(1, type), shape))]);
};

const INT = 2;
const INTS = 7;
const attribute = ([name, value]) =>
  Array.isArray(value)
    ? bytes(5, bytes(1, name), number(20, INTS), ...value.map((item) => number(8, item)))
    : bytes(5, bytes(1, name), number(20, INT), number(3, value));

const IR_VERSION = 10;
const OPSET = 21;

/**
 * The bytes of a model of one node. `inputs` and `outputs` are { name, dims, type }; `weights` are `tensor`s by name, in
 * the order in which the node takes them after its inputs; `attributes` are integers or lists of them.
 */
export const modelOf = ({ op, domain = "", inputs, weights = {}, outputs, attributes = {} }) => {
  const names = [...inputs.map(({ name }) => name), ...Object.keys(weights)];
  const node = Buffer.concat([
    ...names.map((name) => bytes(1, name)),
    ...outputs.map(({ name }) => bytes(2, name)),
    bytes(4, op),
    ...Object.entries(attributes).map(attribute),
    bytes(7, domain),
  ]);
  const graph = Buffer.concat([
    bytes(1, node),
    bytes(2, "case"),
    ...Object.values(weights).map((weight) => bytes(5, weight)),
    ...inputs.map((input) => bytes(11, valueInfo(input))),
    ...outputs.map((output) => bytes(12, valueInfo(output))),
  ]);
  const opsets = [
    bytes(8, bytes(1, ""), number(2, OPSET)),
    ...(domain ? [bytes(8, bytes(1, domain), number(2, 1))] : []),
  ];
  return Buffer.concat([number(1, IR_VERSION), bytes(7, graph), ...opsets]);
};

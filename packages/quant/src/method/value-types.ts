import { attrs, type DataType, dataTypeOfCode, type Graph, type Node } from "@espalier/core";

/** Element types of outputs that are not those of the first input. */
const fixedOutputs: Readonly<Record<string, readonly DataType[]>> = {
  Shape: ["int64"],
  Size: ["int64"],
  NonZero: ["int64"],
  ArgMax: ["int64"],
  ArgMin: ["int64"],
  NonMaxSuppression: ["int64"],
  Equal: ["bool"],
  Greater: ["bool"],
  GreaterOrEqual: ["bool"],
  Less: ["bool"],
  LessOrEqual: ["bool"],
  IsNaN: ["bool"],
  IsInf: ["bool"],
  MatMulInteger: ["int32"],
  ConvInteger: ["int32"],
  DynamicQuantizeLinear: ["uint8", "float32", "uint8"],
};

/** Types of the outputs after the first, where they differ from it. */
const laterOutputs: Readonly<Record<string, DataType>> = { MaxPool: "int64", TopK: "int64", Dropout: "bool" };

/** Input that gives the output's type, where it is not the first. */
const typeInput: Readonly<Record<string, number>> = { Where: 1, OneHot: 2, QuantizeLinear: 2, DequantizeLinear: 1 };

const outputType = (node: Node, index: number, types: ReadonlyMap<string, DataType>): DataType | undefined => {
  const { opType } = node;
  if (node.domain !== "" || attrs.subgraphsOf(node).length > 0) return undefined;
  if (opType === "Constant") {
    const value = attrs.tensorOf(node, "value");
    if (value) return value.type;
    return node.attributes.has("value_float") || node.attributes.has("value_floats") ? "float32" : "int64";
  }
  if (opType === "ConstantOfShape") return attrs.tensorOf(node, "value")?.type ?? "float32";
  if (opType === "Cast") return dataTypeOfCode(attrs.intOf(node, "to", 0));
  if (node.attributes.has("dtype")) return dataTypeOfCode(attrs.intOf(node, "dtype", 0));
  const fixed = fixedOutputs[opType];
  if (fixed) return fixed[index];
  if (index > 0 && laterOutputs[opType]) return laterOutputs[opType];
  return types.get(node.inputs[typeInput[opType] ?? 0] ?? "");
};

/** Element types of the values of a graph, as far as the file tells them or operators determine them. */
export const valueTypes = (graph: Graph): ReadonlyMap<string, DataType> => {
  const types = new Map<string, DataType>();
  const put = (name: string, type: DataType | undefined) => {
    if (type !== undefined && !types.has(name)) types.set(name, type);
  };
  for (const { name, type } of [...graph.inputs, ...graph.values, ...graph.outputs])
    if (type?.kind === "tensor") put(name, type.type);
  for (const [name, tensor] of graph.weights) put(name, tensor.type);
  for (const node of graph.nodes)
    node.outputs.forEach((name, index) => {
      if (name) put(name, outputType(node, index, types));
    });
  return types;
};

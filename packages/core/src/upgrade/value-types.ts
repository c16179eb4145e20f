import { intOf, tensorOf } from "../attrs.ts";
import { constantValue, type Scope } from "../graph.ts";
import type { ValueType } from "../model.ts";
import { type DataType, dataTypeOfCode } from "../tensor.ts";

/** Operators whose output does not have the type of their first input. */
const OTHER_TYPES: ReadonlySet<string> = new Set(
  "If Loop Scan ArgMax ArgMin NonZero Shape Size Equal Less LessOrEqual Greater GreaterOrEqual IsNaN IsInf Not And Or Xor OneHot Compress QuantizeLinear DequantizeLinear DynamicQuantizeLinear ConvInteger MatMulInteger QLinearConv QLinearMatMul ConstantOfShape EyeLike RandomNormal RandomUniform RandomNormalLike RandomUniformLike Bernoulli Multinomial CastLike SequenceAt SequenceConstruct SequenceEmpty OptionalGetElement OptionalHasElement Optional SplitToSequence ConcatFromSequence NonMaxSuppression StringSplit RegexFullMatch TfIdfVectorizer ImageDecoder BlackmanWindow HannWindow HammingWindow MelWeightMatrix BitCast SequenceMap".split(
    " ",
  ),
);

/** What a scope tells about the type of its values, by name. */
const typedValues = (scope: Scope): ReadonlyMap<string, ValueType> => {
  const types = new Map<string, ValueType>();
  for (const { name, type } of [...scope.graph.values, ...scope.graph.outputs, ...scope.graph.inputs]) {
    if (type) types.set(name, type);
  }
  for (const [name, weight] of scope.graph.weights) {
    types.set(name, { kind: "tensor", type: weight.type, shape: weight.dims });
  }
  return types;
};

export interface ValueTypes {
  /**
   * The element type of a value: as declared, or followed back through the nodes that make it to one that is.
   * Undefined when the model does not tell it.
   */
  elementType(scope: Scope, value: string): DataType | undefined;
  /** The rank of a value where it is declared. */
  rank(scope: Scope, value: string): number | undefined;
}

/** Lookups of types and ranks that remember what each scope declares. */
export const valueTypes = (): ValueTypes => {
  const cache = new Map<Scope, ReadonlyMap<string, ValueType>>();
  const declared = (scope: Scope) => {
    const known = cache.get(scope) ?? typedValues(scope);
    cache.set(scope, known);
    return known;
  };
  const elementType = (scope: Scope, value: string): DataType | undefined => {
    let at: Scope | undefined = scope;
    let name = value;
    for (let steps = 0; at; steps++) {
      const type = declared(at).get(name);
      if (type?.kind === "tensor" && type.type) return type.type;
      const node = at.producers.get(name);
      if (node === undefined) {
        if (at.inputs.has(name)) return undefined;
        at = at.parent;
        continue;
      }
      if (node.domain !== "" || steps > at.graph.nodes.length) return undefined;
      if (node.opType !== "Split" && node.outputs[0] !== name) return undefined;
      if (node.opType === "Cast") return dataTypeOfCode(intOf(node, "to", 0));
      if (node.opType === "Constant") return constantValue(node)?.type;
      if (node.opType === "ConstantOfShape") return tensorOf(node, "value")?.type ?? "float32";
      if (node.opType === "Shape" || node.opType === "Size" || node.opType === "NonZero") return "int64";
      if (OTHER_TYPES.has(node.opType) || node.inputs.length === 0) return undefined;
      name = node.inputs[node.opType === "Where" ? 1 : 0];
    }
    return undefined;
  };
  const rank = (scope: Scope, value: string): number | undefined => {
    for (let at: Scope | undefined = scope; at; at = at.parent) {
      const type = declared(at).get(value);
      if (type) return type.kind === "tensor" ? type.shape?.length : undefined;
      if (at.producers.has(value) || at.inputs.has(value)) return undefined;
    }
    return undefined;
  };
  return { elementType, rank };
};

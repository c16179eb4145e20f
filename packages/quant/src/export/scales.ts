import {
  attrs,
  type DataType,
  dataTypes,
  fitsHalf,
  makeNode,
  type Node,
  type Tensor,
  tensor,
  toHalf,
} from "@espalier/core";

/** What a `Cast` node of its own costs in a file beside the names of its values. */
const CAST_BYTES = 32;

/** Bytes of a node that casts `name` to `${name}h`-like names, with the framing of onnx.proto. */
const castBytes = (name: string): number => CAST_BYTES + 2 * name.length;

/** `Cast` to an element type. */
export const castNode = (from: string, to: string, type: DataType): Node =>
  makeNode("Cast", [from], [to], { to: attrs.int(dataTypes[type].code) });

/** A float constant, stored as float32, or as float16 with a `Cast` that onnxruntime folds when it loads the model. */
export interface StoredFloats {
  readonly nodes: readonly Node[];
  readonly weights: readonly (readonly [string, Tensor])[];
}

/** True where `count` floats take fewer bytes as float16 with a `Cast` than as float32. */
export const halfIsSmaller = (count: number, name: string): boolean => 2 * count > castBytes(name);

/** The same for values, and none of them loses more than float16's last bit. */
export const halfPays = (values: ArrayLike<number>, name: string): boolean =>
  halfIsSmaller(values.length, name) && fitsHalf(values);

/** `values` as a constant of type float32 that nodes read by `name`. */
export const storeFloats = (
  name: string,
  dims: readonly number[],
  values: Float32Array,
  half: boolean,
): StoredFloats =>
  half
    ? {
        nodes: [castNode(`${name}h`, name, "float32")],
        weights: [[`${name}h`, tensor("float16", dims, toHalf(values))]],
      }
    : { nodes: [], weights: [[name, tensor("float32", dims, values)]] };

/** `values` as a constant of a float type that nodes read by `name`. */
export const storeAs = (
  name: string,
  dims: readonly number[],
  values: Float32Array,
  type: "float32" | "float16",
): StoredFloats =>
  type === "float16"
    ? { nodes: [], weights: [[name, tensor("float16", dims, toHalf(values))]] }
    : storeFloats(name, dims, values, halfPays(values, name));

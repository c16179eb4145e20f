import type { DataType, Tensor } from "./tensor.ts";

/**
 * What a part was read from. It travels with spread copies (`{ ...node, inputs }`), so that fields that this
 * module does not name (unknown fields, device configurations, docs) are written back as they were read.
 */
export interface Extra {
  readonly origin?: object;
}

/** Length of one axis: a number, the name of a symbolic length, or null where the file says nothing. */
export type Dim = number | string | null;

export type ValueType =
  | { readonly kind: "tensor" | "sparse"; readonly type: DataType | undefined; readonly shape?: readonly Dim[] }
  | { readonly kind: "sequence" | "optional"; readonly element?: ValueType }
  | { readonly kind: "map"; readonly key: DataType | undefined; readonly value?: ValueType };

/** A named value of a graph, with its type where the file tells it. */
export interface ValueInfo extends Extra {
  readonly name: string;
  readonly type?: ValueType;
}

export interface SparseTensor extends Extra {
  /** The name that nodes use; it is the name of `values` in the file. */
  readonly name: string;
  /** [nnz] */
  readonly values: Tensor;
  /** [nnz] linear, or [nnz, rank] */
  readonly indices: Tensor;
  readonly dims: readonly number[];
}

type Valued<K extends string, V> = Extra & { readonly kind: K; readonly value: V };

/** A node's attribute. Integers are `bigint`, strings are bytes, as ONNX has them; `attrs.ts` reads and makes them. */
export type Attribute =
  | Valued<"float", number>
  | Valued<"int", bigint>
  | Valued<"string", Uint8Array>
  | Valued<"tensor", Tensor>
  | Valued<"graph", Graph>
  | Valued<"sparse", SparseTensor>
  | Valued<"type", ValueType>
  | Valued<"floats", readonly number[]>
  | Valued<"ints", readonly bigint[]>
  | Valued<"strings", readonly Uint8Array[]>
  | Valued<"tensors", readonly Tensor[]>
  | Valued<"graphs", readonly Graph[]>
  | Valued<"sparses", readonly SparseTensor[]>
  | Valued<"types", readonly ValueType[]>
  /** Inside a function body: takes the value of the caller's attribute of that name. */
  | Valued<"ref", string>;

export interface Node extends Extra {
  /** May be empty: ONNX does not ask for names, and `layers()` makes them up. */
  readonly name: string;
  readonly opType: string;
  /** "" is the ONNX standard domain. */
  readonly domain: string;
  /** An empty string is an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

export interface Graph extends Extra {
  readonly name: string;
  /** In topological order. */
  readonly nodes: readonly Node[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Types of inner values, where the file tells them. */
  readonly values: readonly ValueInfo[];
  /** Initializers by name, in file order. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly sparseWeights: readonly SparseTensor[];
}

/** A model-local function. */
export interface ModelFunction extends Extra {
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
  readonly opsets: ReadonlyMap<string, number>;
}

/** An ONNX model as plain, immutable data. Every function that changes one returns a new one. */
export interface Model extends Extra {
  readonly irVersion: number;
  /** Version of each operator domain that the model imports; "" is the ONNX standard domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: Graph;
  readonly functions: readonly ModelFunction[];
  readonly metadata: ReadonlyMap<string, string>;
}

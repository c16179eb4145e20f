import { floatOf, intOf, intsOf, stringOf } from "../attrs.ts";
import { EspalierError } from "../errors.ts";
import { labelOf } from "../graph.ts";
import { numbersOf } from "../measure/numbers.ts";
import type { Node } from "../model.ts";
import type { Tf, TfTensor } from "./tf.ts";
import { dimsOf, isLast, lastOnDevice, onDevice, type Value } from "./value.ts";

/** What surrounds the nodes of one run. */
export interface RunScope {
  readonly tf: Tf;
  readonly opset: number;
  /** BatchNormalization takes the statistics of the batch, and Dropout drops. */
  readonly training: boolean;
  /** BatchNormalization keeps to its running statistics all the same. */
  readonly frozen: boolean;
  /** A number of its own for each random node of each step. */
  seed(): number;
  /** New running statistics of an input of a node. */
  update(name: string, value: TfTensor): void;
}

/** One node about to run. */
export interface Call {
  readonly tf: Tf;
  readonly node: Node;
  readonly scope: RunScope;
  readonly inputs: readonly (Value | undefined)[];
  /** Runs a subgraph of the node, with the values around it. */
  branch(attribute: string): Value[];
}

export type Output = TfTensor | Value;
/** Runs a node of one operator. A list where it has several outputs. */
export type Operator = (call: Call) => Output | readonly Output[];

const fail = (code: "BAD_MODEL" | "UNSUPPORTED", { node }: Call, what: string) =>
  new EspalierError(code, "core/train", `${node.opType} "${labelOf(node)}" ${what}`);

export const unsupported = (call: Call, what: string) => fail("UNSUPPORTED", call, what);

export const has = ({ inputs }: Call, index: number): boolean => inputs[index] !== undefined;

export const given = (call: Call, index: number): Value => {
  const value = call.inputs[index];
  if (value) return value;
  throw fail("BAD_MODEL", call, `has no input ${index}. The model is damaged.`);
};

/** Input `index` as ONNX has it. */
export const x = (call: Call, index = 0): TfTensor => onDevice(call.tf, given(call, index));
/** Input `index` as [N, H, W, C]. */
export const image = (call: Call, index = 0): TfTensor => lastOnDevice(call.tf, given(call, index));
export const isImage = (call: Call, index = 0): boolean => isLast(given(call, index));
export const dims = (call: Call, index = 0): readonly number[] => dimsOf(given(call, index));

/**
 * The numbers of an input that says how to compute: a shape, axes, pads.
 *
 * @throws EspalierError `UNSUPPORTED` where they hang on what is computed
 */
export const numbers = (call: Call, index: number): number[] | undefined => {
  const value = call.inputs[index];
  if (value === undefined) return undefined;
  if (value.kind === "host") return Array.from(numbersOf(value.tensor));
  throw unsupported(
    call,
    `takes its input ${index}, "${call.node.inputs[index]}", from values with a gradient. Shapes must not hang on them; use fold, or freeze what it is made of.`,
  );
};

/** Integers of an attribute, or of an input in newer opsets. */
export const integers = (call: Call, attribute: string, index: number): number[] | undefined =>
  numbers(call, index) ?? intsOf(call.node, attribute);

export const int = ({ node }: Call, name: string, fallback: number): number => intOf(node, name, fallback);
export const ints = ({ node }: Call, name: string): number[] | undefined => intsOf(node, name);
export const float = ({ node }: Call, name: string, fallback: number): number => floatOf(node, name, fallback);
export const string = ({ node }: Call, name: string, fallback: string): string => stringOf(node, name) ?? fallback;

export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

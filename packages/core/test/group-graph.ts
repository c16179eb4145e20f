import { attrs, type Dim, type Graph, type Model, makeNode, type Node, type Tensor, tensor } from "../src/index.ts";
import { gaussian, tinyModel } from "../src/testing/index.ts";

type Given = number | string | readonly number[] | readonly string[];

/** A whole number is an integer attribute, a number with a fraction a float. */
const attribute = (value: Given) => {
  if (typeof value === "number") return Number.isInteger(value) ? attrs.int(value) : attrs.float(value);
  if (typeof value === "string") return attrs.string(value);
  return typeof value[0] === "string" ? attrs.strings(value as string[]) : attrs.ints(value as number[]);
};

/** A small graph that is written down as it is computed. */
export interface GraphBuilder {
  /** A node; the name of its output. */
  op(opType: string, inputs: readonly string[], given?: Readonly<Record<string, Given>>): string;
  /** A node of several outputs. */
  ops(opType: string, inputs: readonly string[], outputs: number, given?: Readonly<Record<string, Given>>): string[];
  /** A weight of Gaussian values. */
  w(...dims: number[]): string;
  /** A weight of values between 0.5 and 1.5. */
  positive(...dims: number[]): string;
  ints(...values: number[]): string;
  floats(...values: number[]): string;
  /** A 2-d convolution of kernel 3 with padding, stride 1. */
  conv(x: string, inputs: number, outputs: number, kernel?: number, group?: number): string;
  /** x W + b over the last axis. */
  linear(x: string, inputs: number, outputs: number): string;
}

export interface GraphCase {
  readonly model: Model;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** Kinds and sizes of the groups, in any order, and the graph. */
export type Case = readonly [groups: string, make: () => GraphCase];

export interface CaseOptions {
  readonly opset?: number;
  /** Lengths of the input that the model leaves open. */
  readonly open?: readonly number[];
}

/** A model of one input x of `dims`, whose output is what `make` returns. */
export const graphOf = (
  dims: readonly number[],
  make: (b: GraphBuilder, x: string) => string,
  { opset = 17, open = [0] }: CaseOptions = {},
): GraphCase => {
  const nodes: Node[] = [];
  const weights: Record<string, Tensor> = {};
  const keep = (hint: string, t: Tensor) => {
    const name = `${hint}${Object.keys(weights).length}`;
    weights[name] = t;
    return name;
  };
  const add = (
    opType: string,
    inputs: readonly string[],
    outputs: string[],
    given: Readonly<Record<string, Given>>,
  ) => {
    const { domain = "", ...rest } = given;
    const attributes = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, attribute(value)]));
    nodes.push(makeNode(opType, inputs, outputs, attributes, { name: outputs[0], domain: domain as string }));
    return outputs;
  };
  const b: GraphBuilder = {
    ops: (opType, inputs, count, given = {}) =>
      add(
        opType,
        inputs,
        Array.from({ length: count }, (_, i) => `${opType}${nodes.length}${i ? `_${i}` : ""}`),
        given,
      ),
    op: (opType, inputs, given = {}) => b.ops(opType, inputs, 1, given)[0],
    w: (...d) => keep("w", gaussian(d, Object.keys(weights).length + 1, 0.5)),
    positive: (...d) => {
      const { data } = gaussian(d, Object.keys(weights).length + 1);
      return keep(
        "p",
        tensor(
          "float32",
          d,
          data.map((v) => 1 + Math.tanh(v) / 2),
        ),
      );
    },
    ints: (...v) => keep("i", tensor("int64", [v.length], BigInt64Array.from(v.map(BigInt)))),
    floats: (...v) => keep("f", tensor("float32", [v.length], Float32Array.from(v))),
    conv: (x, inputs, outputs, kernel = 3, group = 1) => {
      const edge = (kernel - 1) / 2;
      return b.op("Conv", [x, b.w(outputs, inputs / group, kernel, kernel), b.w(outputs)], {
        kernel_shape: [kernel, kernel],
        pads: [edge, edge, edge, edge],
        group,
      });
    },
    linear: (x, inputs, outputs) => b.op("Add", [b.op("MatMul", [x, b.w(inputs, outputs)]), b.w(outputs)]),
  };
  const output = make(b, "x");
  const shape = dims.map((dim, i): Dim => (open.includes(i) ? `d${i}` : dim));
  const domains: Record<string, number> = nodes.some(({ domain }) => domain !== "") ? { "com.microsoft": 1 } : {};
  const model = tinyModel({ inputs: { x: ["float32", shape] }, outputs: [output], nodes, weights, opset, domains });
  return { model, feeds: { x: gaussian(dims, 99) } };
};

export type { Graph };

import { expect } from "vitest";
import {
  type Attribute,
  type FloatType,
  floatTensor,
  type Layer,
  layers,
  type Model,
  makeNode,
  type Node,
  readData,
  sizeOf,
  type Tensor,
} from "../src/index.ts";
import type { Values } from "./naive-layers.ts";
import { runModel, tinyModel } from "./run-model.ts";

/** Values in [-1, 1] that repeat nowhere. */
export const waves = (dims: readonly number[], seed = 1, type: FloatType = "float32"): Tensor =>
  floatTensor(
    type,
    dims,
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(1.7 * i * seed + seed) * Math.cos(0.3 * i)),
  );

/** A node "layer" that makes "y"; the operator as "domain::name" where it is not a standard one. */
export const node = (
  op: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node => {
  const [opType, domain = ""] = op.split("::").reverse();
  return makeNode(opType, inputs, ["y"], attributes, { domain, name: "layer" });
};

/** A model of opset 17 with onnxruntime's own operators, from "x" to "y". */
export const modelOf = (nodes: readonly Node[], x: Tensor, weights: Readonly<Record<string, Tensor>>): Model => ({
  ...tinyModel({ opset: 17, irVersion: 8, nodes, inputs: { x }, outputs: { y: "float32" }, weights }),
  opsets: new Map([
    ["", 17],
    ["com.microsoft", 1],
  ]),
});

export interface LayerCase {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly x: Tensor;
  readonly weights: Readonly<Record<string, Tensor>>;
  /** [out, in, ...kernel] of each layer. */
  readonly dims: readonly (readonly number[])[];
  /** What the model computes, by plain loops over the weights as the layers show them. */
  readonly naive: (x: Values, weights: readonly Values[]) => Values;
}

/** A case of one layer whose weight is "w". */
export const oneLayer = (
  name: string,
  nodes: Node | readonly Node[],
  x: Tensor,
  w: Tensor,
  dims: readonly number[],
  naive: (x: Values, w: Values) => Values,
  others: Readonly<Record<string, Tensor>> = {},
): LayerCase => ({
  name,
  nodes: "opType" in nodes ? [nodes] : nodes,
  x,
  weights: { w, ...others },
  dims: [dims],
  naive: (input, [weight]) => naive(input, weight),
});

export const valuesOf = ({ dims, data }: Tensor): Values => ({
  dims,
  values: Array.from(data as Float32Array, Number),
});

export const shown = async ({ weight }: Layer): Promise<Values> => ({ dims: weight.dims, values: await weight.read() });

const BOUND = 1e-5;

/** The layers have the dims of the case, and the plain loops give onnxruntime's output within 1e-5 of its largest. */
export const expectNaive = async ({ nodes, x, weights, dims, naive }: LayerCase): Promise<void> => {
  const model = modelOf(nodes, x, weights);
  const found = layers(model);
  expect(found.map(({ weight }) => weight.dims)).toEqual(dims);
  const y = (await runModel(model, { x })).get("y")!;
  const expected = naive(valuesOf(x), await Promise.all(found.map(shown)));
  expect(y.values.length).toBe(expected.values.length);
  const largest = Math.max(...(y.values as number[]).map(Math.abs));
  const worst = Math.max(...(y.values as number[]).map((value, i) => Math.abs(value - expected.values[i])));
  expect(worst).toBeLessThanOrEqual(BOUND * largest);
};

/** Writing what was read gives the tensor of the file, bit for bit. */
export const expectRoundTrip = async ({ nodes, x, weights }: LayerCase): Promise<void> => {
  for (const { weight } of layers(modelOf(nodes, x, weights))) {
    const { type, dims } = weight.tensor;
    const written = weight.write(await weight.read());
    expect(written).toEqual({ type, dims, data: await readData(weight.tensor) });
  }
};

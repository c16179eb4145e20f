import * as ort from "onnxruntime-node";
import { expect } from "vitest";
import { type Dim, type Model, type Node, openSession, type Tensor } from "../src/index.ts";

/** Outputs of a model in onnxruntime-node, on one thread and without its own graph changes. */
export const runModel = async (model: Model, feeds: Readonly<Record<string, Tensor>>) => {
  const session = await openSession(ort, model, {
    threads: 1,
    ortOptions: { graphOptimizationLevel: "disabled" },
  });
  try {
    return new Map(
      Object.entries(await session.run(feeds)).map(([name, { type, dims, data }]) => [
        name,
        {
          type,
          dims,
          values: type === "bool" ? Array.from(data as Uint8Array) : Array.from(data as Float32Array, Number),
        },
      ]),
    );
  } finally {
    await session.release();
  }
};

/** Every output has the same type, the same dims, and max |a - b| <= bound * max |a|. */
export const expectSameOutputs = async (
  a: Model,
  b: Model,
  feeds: Readonly<Record<string, Tensor>>,
  bound: number,
): Promise<void> => {
  const expected = await runModel(a, feeds);
  const found = await runModel(b, feeds);
  expect([...found.keys()]).toEqual([...expected.keys()]);
  for (const [name, { type, dims, values }] of expected) {
    const other = found.get(name);
    expect(other?.type).toBe(type);
    expect(other?.dims).toEqual(dims);
    let largest = 0;
    let difference = 0;
    values.forEach((value, i) => {
      const same = Object.is(value, other?.values[i]);
      largest = Number.isFinite(value) ? Math.max(largest, Math.abs(Number(value))) : largest;
      difference = same ? difference : Math.max(difference, Math.abs(Number(value) - Number(other?.values[i])));
    });
    expect(difference, `output "${name}"`).toBeLessThanOrEqual(bound * largest);
  }
};

interface TinyModel {
  readonly opset: number;
  readonly irVersion?: number;
  readonly nodes: readonly Node[];
  /** Name, and the tensor that fits it: its type and rank are declared, its lengths only when `fixed`. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor["type"]>>;
  readonly weights?: Readonly<Record<string, Tensor>>;
  readonly fixed?: boolean;
}

/** A model of a few nodes. */
export const tinyModel = ({
  opset,
  irVersion = 4,
  nodes,
  inputs,
  outputs,
  weights = {},
  fixed = false,
}: TinyModel): Model => ({
  irVersion,
  opsets: new Map([["", opset]]),
  graph: {
    name: "tiny",
    nodes,
    inputs: Object.entries(inputs).map(([name, { type, dims }]) => ({
      name,
      type: { kind: "tensor", type, shape: dims.map((dim, i): Dim => (fixed ? dim : `${name}_${i}`)) },
    })),
    outputs: Object.entries(outputs).map(([name, type]) => ({ name, type: { kind: "tensor", type } })),
    values: [],
    weights: new Map(Object.entries(weights)),
    sparseWeights: [],
  },
  functions: [],
  metadata: new Map(),
});

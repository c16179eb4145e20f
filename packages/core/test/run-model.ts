import * as ort from "onnxruntime-node";
import { expect } from "vitest";
import { type Dim, type Model, openSession, type Tensor } from "../src/index.ts";
import { tinyModel as modelOf, type TinyModelOptions } from "../src/testing/index.ts";

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

interface ModelAround extends Omit<TinyModelOptions, "inputs" | "outputs"> {
  readonly opset: number;
  /** Name, and the tensor that fits it: its type and rank are declared, its lengths only when `fixed`. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor["type"]>>;
  readonly fixed?: boolean;
}

/** A model of a few nodes that takes given tensors. */
export const tinyModel = ({ inputs, fixed = false, irVersion = 4, ...rest }: ModelAround): Model =>
  modelOf({
    ...rest,
    irVersion,
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([name, { type, dims }]) => [
        name,
        [type, dims.map((dim, i): Dim => (fixed ? dim : `${name}_${i}`))],
      ]),
    ),
  });

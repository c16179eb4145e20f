import { layers, type Model, makeNode, openSession, type ReportEntry, runPass, type Tensor } from "@espalier/core";
import { gaussian, testPass, tinyModel } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { type MergeNeuronsOptions, mergeNeurons } from "../index.ts";

describe("mergeNeurons", () => testPass(it, () => mergeNeurons({ ratio: 0.25, multiple: 1 }), { ort }));

/** [n, 6] -> 12 neurons -> [n, 4]; neuron 9 is neuron 2 again where `twice`. */
const perceptron = (twice: boolean): Model => {
  const [w1, b1] = [gaussian([6, 12], 1), gaussian([12], 2)];
  if (twice) {
    for (let row = 0; row < 6; row++) w1.data[row * 12 + 9] = w1.data[row * 12 + 2];
    b1.data[9] = b1.data[2];
  }
  return tinyModel({
    inputs: { x: ["float32", ["n", 6]] },
    outputs: ["y"],
    weights: { w1, b1, w2: gaussian([12, 4], 3) },
    nodes: [
      makeNode("MatMul", ["x", "w1"], ["h"], {}, { name: "first" }),
      makeNode("Add", ["h", "b1"], ["a"], {}, { name: "bias" }),
      makeNode("Relu", ["a"], ["r"], {}, { name: "relu" }),
      makeNode("MatMul", ["r", "w2"], ["y"], {}, { name: "second" }),
    ],
  });
};

const outputOf = async (model: Model, engine: typeof ort | typeof web = ort): Promise<Tensor> => {
  const session = await openSession(engine, model);
  const { y } = await session.run({ x: gaussian([50, 6], 9) });
  await session.release();
  return y;
};

const widthOf = (model: Model) => layers(model)[0].weight.dims[0];

describe("mergeNeurons", () => {
  it.each([
    ["onnxruntime-node", ort],
    ["onnxruntime-web", web],
  ] as const)(
    "P-03: of a neuron that stands twice one goes, and the outputs stay the same within 1e-5 in %s",
    async (_, engine) => {
      const model = perceptron(true);
      const small = await runPass(model, mergeNeurons({ ratio: 1 / 12, multiple: 1 }));
      expect(widthOf(small)).toBe(11);
      const [before, after] = [await outputOf(model), await outputOf(small, engine)];
      for (const [i, value] of (before.data as Float32Array).entries())
        expect(Math.abs((after.data as Float32Array)[i] - value)).toBeLessThan(1e-5);
    },
  );

  it("keeps counts that are multiples, and leaves groups that would lose none", async () => {
    expect(widthOf(await runPass(perceptron(false), mergeNeurons({ ratio: 0.25, multiple: 4 })))).toBe(12);
    expect(widthOf(await runPass(perceptron(false), mergeNeurons({ ratio: 0.4, multiple: 4 })))).toBe(8);
  });

  it("leaves what skip names, and says so", async () => {
    const entries: ReportEntry[] = [];
    const model = perceptron(false);
    const report = (entry: ReportEntry) => entries.push(entry);
    expect(await runPass(model, mergeNeurons({ ratio: 0.5, multiple: 1, skip: "first" }), { report })).toBe(model);
    expect(entries).toContainEqual(expect.objectContaining({ layer: "first", reason: "named by skip" }));
  });

  it("refuses weights that are not finite with BAD_OPTION", async () => {
    const model = perceptron(false);
    (model.graph.weights.get("w1") as Tensor<"float32">).data[3] = Number.POSITIVE_INFINITY;
    const pass = mergeNeurons({ ratio: 0.5, multiple: 1 });
    await expect(runPass(model, pass)).rejects.toMatchObject({ code: "BAD_OPTION" });
  });

  const refused: [string, MergeNeuronsOptions][] = [
    ["a ratio of 1", { ratio: 1 }],
    ["a multiple of 1.5", { multiple: 1.5 }],
  ];
  it.each(refused)("refuses %s with BAD_OPTION", (_, options) => {
    expect(() => mergeNeurons(options)).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});

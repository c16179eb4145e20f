import { describe, expect, it } from "vitest";
import {
  expectNaive,
  expectRoundTrip,
  type LayerCase,
  modelOf,
  node,
  oneLayer,
  shown,
  waves,
} from "../../test/layer-cases.ts";
import { linear, recurrent, type Values } from "../../test/naive-layers.ts";
import { runModel } from "../../test/run-model.ts";
import { float, int, makeNode, string } from "../attrs.ts";
import { type FloatType, floatValues } from "../numeric/floats.ts";
import { dataTypes, tensor } from "../tensor.ts";
import { layers } from "./find-layers.ts";

const HIDDEN = 4;
const cells = [
  ["RNN", 1],
  ["GRU", 3],
  ["LSTM", 4],
] as const;

const cases: readonly LayerCase[] = [
  ...cells.map(([op, gates]): LayerCase => {
    const rows = gates * HIDDEN;
    return {
      name: `${op} in both directions`,
      nodes: [node(op, ["x", "w", "r"], { hidden_size: int(HIDDEN), direction: string("bidirectional") })],
      x: waves([3, 1, 5], 3),
      weights: { w: waves([2, rows, 5]), r: waves([2, rows, HIDDEN], 2) },
      dims: [
        [2 * rows, 5],
        [2 * rows, HIDDEN],
      ],
      naive: (x, [w, r]) => recurrent(op, x, w, r),
    };
  }),
  ...(["float16", "bfloat16"] as const).map((type: FloatType) =>
    oneLayer(
      `a weight in ${type}, cast to float32`,
      [makeNode("Cast", ["w"], ["t"], { to: int(dataTypes.float32.code) }), node("MatMul", ["x", "t"])],
      waves([3, 5], 3),
      waves([5, 4], 1, type),
      [4, 5],
      linear,
    ),
  ),
];

describe("weights of recurrent layers as [directions * gates * hidden, in], and of all float types", () => {
  it.each(cases)("$name: plain loops give onnxruntime's output within 1e-5", expectNaive);
  it.each(cases)("$name: writing what was read gives the file's tensor", expectRoundTrip);

  it("float64 weights are read as float32 and written as float64", async () => {
    const w = tensor("float64", [2, 3], Float64Array.of(1, 2, 3, 4, 5, 0.1));
    const [{ weight }] = layers(modelOf([node("MatMul", ["x", "w"])], waves([1, 2]), { w }));
    expect(await weight.read()).toEqual(Float32Array.of(1, 4, 2, 5, 3, 0.1));
    expect(weight.write(Float32Array.of(1, 4, 2, 5, 3, 0.5))).toEqual(
      tensor("float64", [2, 3], Float64Array.of(1, 2, 3, 4, 5, 0.5)),
    );
  });
});

const rowsOf = ({ dims, values }: Values, rows: readonly number[]) =>
  rows.flatMap((row) => Array.from(values).slice(row * dims[1], (row + 1) * dims[1]));

describe("tables as [rows, width]", () => {
  const ids = tensor("int64", [3], BigInt64Array.of(4n, 0n, 2n));
  const rows = [4, 0, 2];

  it("Gather takes the rows that onnxruntime takes", async () => {
    const model = modelOf([node("Gather", ["w", "x"])], ids, { w: waves([6, 5]) });
    const [table] = layers(model);
    expect([table.kind, table.input, table.weight.dims]).toEqual(["embedding", "x", [6, 5]]);
    expect(rowsOf(await shown(table), rows)).toEqual((await runModel(model, { x: ids })).get("y")!.values);
  });

  it("Gather on the last axis takes columns, which are the rows of the table", async () => {
    const model = modelOf([node("Gather", ["w", "x"], { axis: int(-1) })], ids, { w: waves([5, 6]) });
    const [table] = layers(model);
    expect(table.weight.dims).toEqual([6, 5]);
    const y = (await runModel(model, { x: ids })).get("y")!.values as number[];
    const found = rowsOf(await shown(table), rows);
    for (let row = 0; row < 3; row++) for (let i = 0; i < 5; i++) expect(found[row * 5 + i]).toBe(y[i * 3 + row]);
  });

  it("EmbedLayerNormalization has three, whose normalized sum onnxruntime makes within 1e-5", async () => {
    const words = tensor("int32", [1, 3], Int32Array.of(4, 0, 2));
    const kinds = tensor("int32", [1, 3], Int32Array.of(0, 1, 1));
    const weights = {
      kinds,
      words: waves([6, 8]),
      places: waves([4, 8], 2),
      types: waves([2, 8], 3),
      gamma: waves([8], 4),
      beta: waves([8], 5),
    };
    const inputs = ["x", "kinds", "words", "places", "types", "gamma", "beta"];
    const op = node("com.microsoft::EmbedLayerNormalization", inputs, { epsilon: float(1e-12) });
    const model = modelOf([{ ...op, outputs: ["y", "mask"] }], words, weights);
    const found = layers(model);
    expect(found.map(({ name, kind, input }) => [name, kind, input])).toEqual([
      ["layer", "embedding", "x"],
      ["layer:3", "embedding", ""],
      ["layer:4", "embedding", "kinds"],
    ]);
    const [w, p, t] = await Promise.all(found.map(shown));
    const sums = [rowsOf(w, rows), rowsOf(p, [0, 1, 2]), rowsOf(t, [0, 1, 1])];
    const [gamma, beta] = [await floatValues(weights.gamma), await floatValues(weights.beta)];
    const y = (await runModel(model, { x: words })).get("y")!.values as number[];
    for (let row = 0; row < 3; row++) {
      const v = Array.from({ length: 8 }, (_, i) => sums.reduce((sum, table) => sum + table[row * 8 + i], 0));
      const mean = v.reduce((a, c) => a + c) / 8;
      const deviation = Math.sqrt(v.reduce((a, c) => a + (c - mean) ** 2, 0) / 8);
      for (let i = 0; i < 8; i++)
        expect(Math.abs(y[row * 8 + i] - (((v[i] - mean) / deviation) * gamma[i] + beta[i]))).toBeLessThan(1e-5);
    }
  });
});

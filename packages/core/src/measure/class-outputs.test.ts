import { describe, expect, it } from "vitest";
import { realModels } from "../../test/real-models.ts";
import * as attrs from "../attrs.ts";
import { makeNode } from "../attrs.ts";
import type { Dim, Model, Node } from "../model.ts";
import { openModel } from "../onnx/open.ts";
import { tensor } from "../tensor.ts";
import { gaussian, tinyConv, tinyMlp, tinyModel, tinyTransformer } from "../testing/index.ts";
import { classOutputs } from "./class-outputs.ts";

const model = (nodes: readonly Node[], outputs: readonly string[], shape?: readonly Dim[], opset = 17): Model => {
  const made = tinyModel({
    inputs: { x: ["float32", [2, 8]] },
    outputs,
    weights: {
      w: gaussian([8, 5], 1),
      b: gaussian([5], 2),
      cap: tensor("float32", [], Float32Array.of(30)),
      dims: tensor("int64", [2], BigInt64Array.of(2n, -1n)),
    },
    nodes,
    opset,
  });
  if (!shape) return made;
  const typed = made.graph.outputs.map(({ name }) => ({
    name,
    type: { kind: "tensor", type: "float32", shape } as const,
  }));
  return { ...made, graph: { ...made.graph, outputs: typed } };
};
const of = (...args: Parameters<typeof model>) => [...classOutputs(model(...args))];
const linear = makeNode("MatMul", ["x", "w"], ["m"]);

describe("classOutputs", () => {
  it("are the recogniser's and the classifier's softmax, not the detector's map or silero's probability and state", async () => {
    const found = [];
    for (const path of Object.values(realModels)) found.push([...classOutputs(await openModel(path))]);
    expect(found).toEqual([["softmax_11.tmp_0"], [], ["softmax_0.tmp_0"], []]);
  });

  it("are made by a linear layer, through bias, cap and reshape", () => {
    const capped = [
      linear,
      makeNode("Add", ["b", "m"], ["a"]),
      makeNode("Div", ["a", "cap"], ["d"]),
      makeNode("Tanh", ["d"], ["t"]),
      makeNode("Mul", ["t", "cap"], ["s"]),
      makeNode("Reshape", ["s", "dims"], ["y"]),
    ];
    expect(of(capped, ["y"])).toEqual(["y"]);
    expect([...classOutputs(tinyMlp().model)]).toEqual(["y"]);
    expect([...classOutputs(tinyConv().model)]).toEqual(["y"]);
  });

  it("are not sums of two streams, normalized states, or products of two activations", () => {
    expect(of([linear, makeNode("Add", ["m", "m2"], ["y"]), makeNode("Neg", ["m"], ["m2"])], ["y"])).toEqual([]);
    expect([...classOutputs(tinyTransformer().model)]).toEqual([]);
    expect(of([makeNode("Neg", ["x"], ["n"]), makeNode("MatMul", ["x", "n"], ["y"])], ["y"])).toEqual([]);
  });

  it("follow names, which may say so and may say otherwise", () => {
    const sigmoid = [linear, makeNode("Sigmoid", ["m"], ["scores"]), makeNode("Identity", ["m"], ["text_embeds"])];
    expect(of(sigmoid, ["scores", "text_embeds"])).toEqual(["scores"]);
  });

  it("of a softmax are those along the last axis that is longer than 1", () => {
    const softmax = (axis: number | undefined, shape: readonly Dim[], opset: number) =>
      of([makeNode("Softmax", ["x"], ["y"], axis === undefined ? {} : { axis: attrs.int(axis) })], ["y"], shape, opset)
        .length === 1;
    expect(softmax(undefined, [2, 21, 8, 8], 11)).toBe(false);
    expect(softmax(undefined, [2, 1000], 11)).toBe(true);
    expect(softmax(undefined, [2, 1000, 1, 1], 11)).toBe(true);
    expect(softmax(undefined, [2, 7, 9], 13)).toBe(true);
    expect(softmax(2, [null, "time", 6625], 9)).toBe(true);
    expect(softmax(-2, [2, 21, 8], 13)).toBe(false);
  });
});

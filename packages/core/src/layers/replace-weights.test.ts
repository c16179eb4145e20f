import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { modelOf, node, waves } from "../../test/layer-cases.ts";
import { realFeeds } from "../../test/real-feeds.ts";
import { realModels } from "../../test/real-models.ts";
import { expectSameOutputs, runModel } from "../../test/run-model.ts";
import { graphAttr, makeNode, tensorAttr } from "../attrs.ts";
import type { Graph, Model } from "../model.ts";
import { floatTensor } from "../numeric/floats.ts";
import { readOnnx } from "../onnx/read.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { layers } from "./find-layers.ts";
import { replaceWeights } from "./replace-weights.ts";

const X = waves([3, 4]);

const branch = (weights: Readonly<Record<string, Tensor>>): Graph => ({
  name: "branch",
  nodes: [makeNode("MatMul", ["x", "w"], ["p"])],
  inputs: [],
  outputs: [{ name: "p", type: { kind: "tensor", type: "float32" } }],
  values: [],
  weights: new Map(Object.entries(weights)),
  sparseWeights: [],
});

/** A weight "w" in each branch of an If, and one in a Constant node behind it. */
const branching = (chosen: 0 | 1, yes: Tensor, no: Tensor, last: Tensor): Model => {
  const branches = { then_branch: graphAttr(branch({ w: yes })), else_branch: graphAttr(branch({ w: no })) };
  const nodes = [
    makeNode("If", ["c"], ["z"], branches),
    makeNode("Constant", [], ["v"], { value: tensorAttr(last) }),
    node("MatMul", ["z", "v"]),
  ];
  return modelOf(nodes, X, { c: tensor("bool", [], Uint8Array.of(chosen)) });
};

const scaled = async (model: Model, factors: readonly number[]): Promise<Model> => {
  const pairs = layers(model).map(async ({ weight }, i) => {
    const values = await weight.read();
    return [weight, weight.write(values.map((value) => value * factors[i]))] as const;
  });
  return replaceWeights(model, new Map(await Promise.all(pairs)));
};

describe("replaceWeights", () => {
  it("tells weights of one name in sibling graphs apart, and writes Constant nodes too", async () => {
    const weights = [waves([4, 4], 2), waves([4, 5], 3), waves([4, 4], 4)] as const;
    const times = ({ dims, data }: Tensor, by: number) =>
      floatTensor(
        "float32",
        dims,
        (data as Float32Array).map((value) => value * by),
      );
    for (const chosen of [0, 1] as const) {
      const [yes, no, last] = [weights[0], waves([4, 4], 3), weights[2]];
      const found = await scaled(branching(chosen, yes, no, last), [2, -4, 0.5]);
      await expectSameOutputs(branching(chosen, times(yes, 2), times(no, -4), times(last, 0.5)), found, { x: X }, 0);
    }
  });

  it("shares what does not change with the model, and gives the model itself for no weights", async () => {
    const model = branching(1, X, X, waves([4, 4]));
    const last = layers(model)[2].weight;
    const next = replaceWeights(model, [[last, waves([4, 2])]]);
    expect(next.graph.nodes[0]).toBe(model.graph.nodes[0]);
    expect(next.graph.weights).toEqual(model.graph.weights);
    expect(layers(next)[2].weight.dims).toEqual([2, 4]);
    expect(layers(model)[2].weight.dims).toEqual([4, 4]);
    expect(replaceWeights(model, [])).toBe(model);
  });

  it("changes the type of weights that are inputs as well, as IR 3 asks, so that smaller ones run", async () => {
    const plain = modelOf([node("MatMul", ["x", "w"])], X, { w: waves([4, 4]) });
    const listed = { name: "w", type: { kind: "tensor", type: "float32", shape: [4, 4] } } as const;
    const model = { ...plain, irVersion: 3, graph: { ...plain.graph, inputs: [...plain.graph.inputs, listed] } };
    const { weight } = layers(model)[0];
    const next = replaceWeights(model, [[weight, waves([4, 2], 5)]]);
    expect(next.graph.inputs[1].type).toEqual({ kind: "tensor", type: "float32", shape: [4, 2] });
    expect((await runModel(next, { x: X })).get("y")!.dims).toEqual([3, 2]);
  });

  it("refuses places of another model, and names that are no weights, with NOT_FOUND", () => {
    const [model, other] = [branching(1, X, X, X), branching(1, X, X, X)];
    const refused = expect.objectContaining({ code: "NOT_FOUND" });
    expect(() => replaceWeights(model, [[layers(other)[0].weight, X]])).toThrow(refused);
    expect(() => replaceWeights(model, [[{ name: "x", owner: model.graph }, X]])).toThrow(refused);
  });

  it("the recogniser with every weight written back runs to the same bits", async () => {
    const model = readOnnx(new Uint8Array(readFileSync(realModels.recogniser)));
    const next = await scaled(model, Array(layers(model).length).fill(1));
    await expectSameOutputs(model, next, realFeeds.recogniser, 0);
  });
});

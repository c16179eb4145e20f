import { describe, expect, it } from "vitest";
import { expectSameOutputs, tinyModel } from "../../test/run-model.ts";
import { graphAttr, int, ints, makeNode, string } from "../attrs.ts";
import type { Graph, Model } from "../model.ts";
import { sizeOf, type Tensor, tensor } from "../tensor.ts";
import { upgradeOpset } from "./upgrade-opset.ts";

const BOUND = 1e-5;

/** Values of both signs, no two alike, in an order that is not sorted. */
const ramp = (dims: readonly number[]): Tensor => {
  const size = sizeOf(dims);
  return tensor(
    "float32",
    dims,
    Float32Array.from({ length: size }, (_, i) => ((i * 37) % 101) / 17 - 2.7),
  );
};
const f32 = (...values: number[]) => tensor("float32", [values.length], Float32Array.from(values));

const x = ramp([2, 3, 4]);
const refusal = (model: Model, target: number) => {
  try {
    upgradeOpset(model, target);
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error("expected a refusal");
};

describe("upgradeOpset", () => {
  it("gives back the same model when it is at the target or above", () => {
    const model = tinyModel({
      opset: 13,
      nodes: [makeNode("Relu", ["x"], ["y"])],
      inputs: { x },
      outputs: { y: "float32" },
    });
    expect(upgradeOpset(model, 13)).toBe(model);
    expect(upgradeOpset(model, 11)).toBe(model);
  });

  it("raises the IR version as the opset asks, and never lowers it", () => {
    const model = tinyModel({
      opset: 9,
      nodes: [makeNode("Relu", ["x"], ["y"])],
      inputs: { x },
      outputs: { y: "float32" },
    });
    expect(upgradeOpset(model, 21).irVersion).toBe(10);
    expect(upgradeOpset({ ...model, irVersion: 11 }, 21).irVersion).toBe(11);
  });

  it("names every node that it refuses, at once", () => {
    const nodes = [
      makeNode("BatchNormalization", ["x", "a", "a", "a", "a"], ["b"], { spatial: int(0) }, { name: "first" }),
      makeNode("Frobnicate", ["b"], ["c"], {}, { name: "second" }),
      makeNode("Gelu", ["c"], ["d"], {}, { name: "third" }),
      makeNode("Custom", ["d"], ["y"], {}, { name: "fourth", domain: "my.ops" }),
    ];
    const model = tinyModel({
      opset: 7,
      nodes,
      inputs: { x },
      outputs: { y: "float32" },
      weights: { a: f32(1, 2, 3) },
    });
    const { code, message } = refusal(model, 13);
    expect(code).toBe("UNSUPPORTED");
    for (const name of ["first", "second", "third"]) expect(message).toContain(`"${name}"`);
    expect(message).not.toContain("fourth");
  });

  it("refuses a Dropout mask that is read and a tf_half_pixel_for_nn Resize", () => {
    const dropout = tinyModel({
      opset: 10,
      nodes: [makeNode("Dropout", ["x"], ["y", "z"])],
      inputs: { x },
      outputs: { y: "float32", z: "bool" },
    });
    expect(refusal(dropout, 12).code).toBe("UNSUPPORTED");
    const coordinates = { coordinate_transformation_mode: string("tf_half_pixel_for_nn") };
    const resize = tinyModel({
      opset: 11,
      nodes: [makeNode("Resize", ["x", "", "s"], ["y"], coordinates)],
      inputs: { x },
      outputs: { y: "float32" },
      weights: { s: f32(1, 1, 2) },
    });
    expect(upgradeOpset(resize, 12).opsets.get("")).toBe(12);
    expect(refusal(resize, 13).code).toBe("UNSUPPORTED");
  });

  it("refuses nodes without what they need, whatever else they lack", () => {
    const ops = ["Clip", "Softmax", "Squeeze", "TopK", "Split", "Dropout"];
    const bare = ops.map((op) => makeNode(op, [], ["y"], {}, { name: `bare ${op}` }));
    const resize = makeNode("Resize", ["x"], ["y"], {}, { name: "bare Resize" });
    const model = tinyModel({ opset: 10, nodes: [...bare, resize], inputs: { x }, outputs: { y: "float32" } });
    const { code, message } = refusal(model, 13);
    expect(code).toBe("UNSUPPORTED");
    for (const name of ["Clip", "Softmax", "Squeeze", "Split", "Dropout", "Resize"])
      expect(message).toContain(`bare ${name}`);
  });

  it("refuses targets it does not know and models before opset 7", () => {
    const model = tinyModel({
      opset: 6,
      nodes: [makeNode("Relu", ["x"], ["y"])],
      inputs: { x },
      outputs: { y: "float32" },
    });
    expect(refusal(model, 13).code).toBe("UNSUPPORTED");
    expect(refusal(model, 26).code).toBe("BAD_OPTION");
    expect(refusal(model, 12.5).code).toBe("BAD_OPTION");
  });

  it("leaves other domains alone", () => {
    const node = makeNode("Softmax", ["x"], ["y"], {}, { domain: "com.microsoft" });
    const model = tinyModel({ opset: 11, nodes: [node], inputs: { x }, outputs: { y: "float32" } });
    expect(upgradeOpset(model, 13).graph.nodes[0]).toBe(node);
  });

  it("rewrites subgraphs, with constants of their own", async () => {
    const branch = (name: string, axes: number): Graph => ({
      name,
      nodes: [
        makeNode("Softmax", ["x"], [`${name}_s`], { axis: int(1) }),
        makeNode("ReduceSum", [`${name}_s`], [`${name}_y`], { axes: ints([axes]), keepdims: int(0) }),
      ],
      inputs: [],
      outputs: [{ name: `${name}_y`, type: { kind: "tensor", type: "float32" } }],
      values: [],
      weights: new Map(),
      sparseWeights: [],
    });
    const attributes = { then_branch: graphAttr(branch("then", 1)), else_branch: graphAttr(branch("else", 2)) };
    const condition = tensor("bool", [], Uint8Array.of(1));
    const model = tinyModel({
      opset: 11,
      nodes: [makeNode("If", ["c"], ["y"], attributes)],
      inputs: { x, c: condition },
      outputs: { y: "float32" },
    });
    for (const c of [1, 0]) {
      const feeds = { x, c: tensor("bool", [], Uint8Array.of(c)) };
      await expectSameOutputs(model, upgradeOpset(model, 21), feeds, BOUND);
    }
  });

  it("rewrites functions, with Constant nodes", async () => {
    const call = makeNode("SumOfSoftmax", ["x"], ["y"], {}, { domain: "local" });
    const tiny = tinyModel({ opset: 12, irVersion: 8, nodes: [call], inputs: { x }, outputs: { y: "float32" } });
    const body = [makeNode("Softmax", ["a"], ["s"]), makeNode("ReduceSum", ["s"], ["b"], { axes: ints([0]) })];
    const model: Model = {
      ...tiny,
      opsets: new Map([...tiny.opsets, ["local", 1]]),
      functions: [
        {
          domain: "local",
          name: "SumOfSoftmax",
          inputs: ["a"],
          outputs: ["b"],
          nodes: body,
          opsets: new Map([["", 12]]),
        },
      ],
    };
    const upgraded = upgradeOpset(model, 18);
    expect(upgraded.functions[0].opsets.get("")).toBe(18);
    await expectSameOutputs(model, upgraded, { x }, BOUND);
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { realFeeds } from "../../test/real-feeds.ts";
import { realModels } from "../../test/real-models.ts";
import { expectSameOutputs, tinyModel } from "../../test/run-model.ts";
import { float, floats, graphAttr, ints, makeNode, tensorAttr } from "../attrs.ts";
import type { Graph, Model, Node } from "../model.ts";
import { openModel } from "../onnx/open.ts";
import { readOnnx } from "../onnx/read.ts";
import { sizeOf, type Tensor, tensor } from "../tensor.ts";
import { fold } from "./fold.ts";

const BOUND = 1e-5;
const real = (name: string) => readOnnx(new Uint8Array(readFileSync(realModels[name as keyof typeof realModels])));

/** Nodes of the main graph; before there are 765, 672, 471 and 5. */
const nodesAfter = { recogniser: 270, detector: 188, classifier: 149, voiceActivity: 2 };

describe("fold on real models", () => {
  it.each(Object.entries(realFeeds))("%s gives the same outputs within 1e-5", async (name, feeds) => {
    const model = real(name);
    const folded = await fold(model);
    await expectSameOutputs(model, folded, feeds, BOUND);
    const merged = await fold(model, { mergeDuplicates: true });
    await expectSameOutputs(model, merged, feeds, BOUND);
    expect(await fold(folded)).toBe(folded);
    expect(folded.graph.nodes.length).toBe(nodesAfter[name as keyof typeof nodesAfter]);
  });
});

/** Values of both signs that differ from place to place, other ones for each seed. */
const values = (seed: number, ...dims: number[]): Tensor<"float32"> =>
  tensor(
    "float32",
    dims,
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin((i + 1) * (seed + 1.3))),
  );
const positive = (seed: number, ...dims: number[]): Tensor<"float32"> => {
  const t = values(seed, ...dims);
  return tensor(
    "float32",
    dims,
    t.data.map((value) => Math.abs(value) + 0.2),
  );
};
const opsOf = (model: Model) => model.graph.nodes.map((node) => node.opType);

const x = values(0, 2, 4, 6, 6);
const conv = { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) };
const channel = (seed: number, count: number) => values(seed, 1, count, 1, 1);
const statistics = (name: string, channels: number, seed: number) => ({
  [`${name}_g`]: values(seed, channels),
  [`${name}_b`]: values(seed + 1, channels),
  [`${name}_m`]: values(seed + 2, channels),
  [`${name}_v`]: positive(seed + 3, channels),
});
const norm = (name: string, input: string, output: string) =>
  makeNode("BatchNormalization", [input, `${name}_g`, `${name}_b`, `${name}_m`, `${name}_v`], [output], {
    epsilon: float(1e-3),
  });

/** A residual network of eight Conv and BatchNormalization pairs, its weights in `Constant` nodes. */
const residualNetwork = (): Model => {
  const weights: Record<string, Tensor> = {};
  const nodes: Node[] = [];
  let value = "x";
  for (let block = 0; block < 4; block++) {
    const start = value;
    for (const half of ["a", "b"]) {
      const name = `${half}${block}`;
      Object.assign(weights, { [`${name}_w`]: values(block + 2, 4, 4, 3, 3), ...statistics(name, 4, block + 5) });
      nodes.push(makeNode("Conv", [value, `${name}_w`], [`${name}_c`], conv), norm(name, `${name}_c`, `${name}_n`));
      value = `${name}_n`;
      if (half === "a") {
        nodes.push(makeNode("Relu", [value], [`${name}_r`]));
        value = `${name}_r`;
      }
    }
    nodes.push(makeNode("Add", [value, start], [`s${block}`]), makeNode("Relu", [`s${block}`], [`r${block}`]));
    value = `r${block}`;
  }
  nodes.push(makeNode("GlobalAveragePool", [value], ["y"]));
  const constants = Object.entries(weights).map(([name, t]) =>
    makeNode("Constant", [], [name], { value: tensorAttr(t) }),
  );
  return tinyModel({ opset: 13, nodes: [...constants, ...nodes], inputs: { x }, outputs: { y: "float32" } });
};

describe("fold", () => {
  it("comes to an end on damaged graphs: cycles, and nodes without inputs", async () => {
    const s = tensor("float32", [], Float32Array.of(2));
    const nodes = [
      makeNode("Identity", [], ["i"]),
      makeNode("Mul", ["b", "s"], ["a"]),
      makeNode("Mul", ["a", "s"], ["b"]),
      makeNode("Identity", ["d"], ["c"]),
      makeNode("Identity", ["c"], ["d"]),
      makeNode("Conv", ["x", "w"], ["e"]),
      makeNode("BatchNormalization", ["e"], ["f"]),
      makeNode("Sum", ["i", "a", "b", "c", "d", "f"], ["y"]),
    ];
    const weights = { s, w: values(1, 6, 4, 3, 3) };
    const model = tinyModel({ opset: 11, nodes, weights, inputs: { x }, outputs: { y: "float32" } });
    expect(opsOf(await fold(model))).toContain("Sum");
  });

  it("reads what it needs of a model that is opened from a Blob", async () => {
    const bytes = new Uint8Array(readFileSync(realModels.classifier));
    const folded = await fold(await openModel(new Blob([bytes])));
    expect(folded.graph.nodes.length).toBe(nodesAfter.classifier);
    await expectSameOutputs(readOnnx(bytes), folded, realFeeds.classifier, BOUND);
  });

  it("leaves no BatchNormalization in a residual network, whose outputs stay within 1e-5", async () => {
    const model = residualNetwork();
    const folded = await fold(model);
    const count = (op: string) => opsOf(folded).filter((other) => other === op).length;
    expect([count("Conv"), count("BatchNormalization"), count("Constant")]).toEqual([8, 0, 0]);
    expect(folded.graph.weights.has("a0_w")).toBe(true);
    await expectSameOutputs(model, folded, { x }, BOUND);
  });

  it("does not change the model it is given, and gives it back when there is nothing to fold", async () => {
    const model = residualNetwork();
    const nodes = [...model.graph.nodes];
    const folded = await fold(model);
    expect(model.graph.nodes).toEqual(nodes);
    expect(model.graph.weights.size).toBe(0);
    expect(await fold(folded)).toBe(folded);
  });

  it("keeps weights that callers may replace, where the IR has such", async () => {
    const nodes = [makeNode("Conv", ["x", "w"], ["c"], conv), makeNode("Mul", ["c", "s"], ["y"])];
    const weights = { w: values(1, 6, 4, 3, 3), s: channel(2, 6) };
    const model = tinyModel({ opset: 11, nodes, weights, inputs: { x, ...weights }, outputs: { y: "float32" } });
    expect(await fold(model)).toBe(model);
    const older = await fold({ ...model, irVersion: 3 });
    expect(opsOf(older)).toEqual(["Conv"]);
    expect(older.graph.inputs.map((info) => info.name)).toEqual(["x", "w"]);
  });

  it("folds inside subgraphs, where weights may come from outside", async () => {
    const branch = (name: string): Graph => ({
      name,
      nodes: [
        makeNode("Constant", [], [`${name}_k`], { value_floats: floats([1.5]) }),
        makeNode("Identity", ["x"], [`${name}_x`]),
        makeNode("Conv", [`${name}_x`, "w"], [`${name}_c`], conv),
        makeNode("Mul", [`${name}_c`, `${name}_k`], [`${name}_m`]),
        makeNode("Mul", [`${name}_m`, "s"], [`${name}_y`]),
      ],
      inputs: [],
      outputs: [{ name: `${name}_y`, type: { kind: "tensor", type: "float32" } }],
      values: [],
      weights: new Map(),
      sparseWeights: [],
    });
    const attributes = { then_branch: graphAttr(branch("then")), else_branch: graphAttr(branch("else")) };
    const c = tensor("bool", [], Uint8Array.of(1));
    const model = tinyModel({
      opset: 13,
      nodes: [makeNode("Identity", ["s0"], ["s"]), makeNode("If", ["c"], ["y"], attributes)],
      weights: { w: values(1, 6, 4, 3, 3), s0: channel(2, 6) },
      inputs: { x, c },
      outputs: { y: "float32" },
    });
    const folded = await fold(model);
    const [node] = folded.graph.nodes;
    const inner = node.attributes.get("then_branch");
    expect(inner?.kind === "graph" && inner.value.nodes.map((n) => n.opType)).toEqual(["Conv"]);
    await expectSameOutputs(model, folded, { x, c }, BOUND);
  });

  it("stores equal weights once when asked to", async () => {
    const weights = { a: values(1, 6), b: values(1, 6), c: values(2, 6) };
    const nodes = [
      makeNode("Add", ["x", "a"], ["p"]),
      makeNode("Mul", ["p", "b"], ["q"]),
      makeNode("Mul", ["q", "c"], ["y"]),
    ];
    const model = tinyModel({ opset: 11, nodes, weights, inputs: { x }, outputs: { y: "float32" } });
    expect(await fold(model)).toBe(model);
    const merged = await fold(model, { mergeDuplicates: true });
    expect([...merged.graph.weights.keys()]).toEqual(["a", "c"]);
    await expectSameOutputs(model, merged, { x }, 0);
  });
});

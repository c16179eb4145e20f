import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { expectNaive, modelOf, node, shown, waves } from "../../test/layer-cases.ts";
import { linear, turned } from "../../test/naive-layers.ts";
import { realModels } from "../../test/real-models.ts";
import { graphAttr, int, ints, makeNode, tensorAttr } from "../attrs.ts";
import { walkGraphs } from "../graph.ts";
import type { Graph, Model } from "../model.ts";
import { bytesOf } from "../onnx/lazy-tensor.ts";
import { readOnnx } from "../onnx/read.ts";
import { dataTypes, sizeOf, type Tensor, tensor } from "../tensor.ts";
import { layers } from "./find-layers.ts";

const named = (opType: string, name: string, inputs: readonly string[], output: string, transB = 0) =>
  makeNode(opType, inputs, [output], opType === "Gemm" ? { transB: int(transB) } : {}, { name });

const branch = (product: ReturnType<typeof named>, weights: Readonly<Record<string, Tensor>> = {}): Graph => ({
  name: "branch",
  nodes: [product],
  inputs: [],
  outputs: [{ name: product.outputs[0], type: { kind: "tensor", type: "float32" } }],
  values: [],
  weights: new Map(Object.entries(weights)),
  sparseWeights: [],
});

const choice = (yes: Graph, no: Graph) =>
  makeNode("If", ["c"], ["y"], { then_branch: graphAttr(yes), else_branch: graphAttr(no) }, { name: "choice" });

const condition = { c: tensor("bool", [], Uint8Array.of(1)) };
const X = waves([3, 4]);

describe("layers", () => {
  it("in subgraphs are found with their path, in the order of execution, and know the graph that holds the weight", () => {
    const own = waves([4, 4], 2);
    const yes = branch(named("MatMul", "inner", ["x", "outer"], "p"));
    const no = branch(named("MatMul", "other", ["x", "w"], "q"), { w: own });
    const nodes = [choice(yes, no), named("MatMul", "last", ["x", "outer"], "z")];
    const model = modelOf(nodes, X, { ...condition, outer: waves([4, 4]) });
    const found = layers(model);
    expect(found.map(({ name, path, uses, weight }) => [name, path, uses.length, weight.name])).toEqual([
      ["inner", ["choice", "then_branch"], 2, "outer"],
      ["other", ["choice", "else_branch"], 1, "w"],
    ]);
    expect(found.map(({ weight }) => weight.owner)).toEqual([model.graph, no]);
    expect(found[0].uses.map(({ node, path }) => [node.name, path])).toEqual([
      ["inner", ["choice", "then_branch"]],
      ["last", []],
    ]);
  });

  it("of the same name in sibling graphs are two layers, with the path before the names they share", () => {
    const yes = branch(named("MatMul", "same", ["x", "w"], "p"), { w: waves([4, 4], 2) });
    const no = branch(named("MatMul", "same", ["x", "w"], "p"), { w: waves([4, 5], 3) });
    const found = layers(modelOf([choice(yes, no)], X, condition));
    expect(found.map(({ name, weight }) => [name, weight.dims])).toEqual([
      ["choice/then_branch/same", [4, 4]],
      ["choice/else_branch/same", [5, 4]],
    ]);
  });

  it("without names have the name of their output, and two that still share one are numbered", () => {
    const weights = { w: waves([4, 4]), v: waves([4, 4], 2), u: waves([4, 4], 3) };
    const nodes = [
      named("MatMul", "", ["x", "w"], "a"),
      named("MatMul", "twin", ["a", "v"], "b"),
      named("MatMul", "twin", ["b", "u"], "y"),
    ];
    expect(layers(modelOf(nodes, X, weights)).map(({ name }) => name)).toEqual(["a", "twin", "twin_1"]);
  });

  it("that are a table of embeddings and the last product at once are one layer, of one shape for both uses", () => {
    const nodes = [
      makeNode("Gather", ["w", "x"], ["e"], {}, { name: "embed" }),
      makeNode("Transpose", ["w"], ["t"], { perm: ints([1, 0]) }),
      named("MatMul", "head", ["e", "t"], "y"),
    ];
    const [table, ...rest] = layers(
      modelOf(nodes, tensor("int64", [2], BigInt64Array.of(1n, 0n)), { w: waves([6, 4]) }),
    );
    expect(rest).toEqual([]);
    expect([table.kind, table.weight.dims, ...table.uses.map(({ kind, input }) => [kind, input])]).toEqual([
      "embedding",
      [6, 4],
      ["embedding", "x"],
      ["linear", "e"],
    ]);
    expect(table.uses[1].layout).toEqual(table.weight.layout);
  });

  it("that use a matrix both ways round have one layer, and a layout for each use", () => {
    const nodes = [named("MatMul", "there", ["x", "w"], "h"), named("Gemm", "back", ["h", "w"], "y", 1)];
    const [layer] = layers(modelOf(nodes, X, { w: waves([4, 5]) }));
    expect(layer.weight.dims).toEqual([5, 4]);
    expect(layer.uses.map(({ layout }) => layout.order)).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  it("have their weights in Constant nodes of any form, and give a copy of them to change", async () => {
    const w = waves([4, 4]);
    const nodes = [makeNode("Constant", [], ["w"], { value: tensorAttr(w) }), node("MatMul", ["x", "w"])];
    await expectNaive({ name: "", nodes, x: X, weights: {}, dims: [[4, 4]], naive: (x, [v]) => linear(x, v) });
    const [layer] = layers(modelOf(nodes, X, {}));
    const before = await shown(layer);
    (await layer.weight.read()).fill(0);
    expect(await shown(layer)).toEqual(before);
    expect(turned(before).values).toEqual(Array.from(w.data as Float32Array));
    expect(() => layer.weight.write(new Float32Array(15))).toThrow(expect.objectContaining({ code: "BAD_TENSOR" }));
  });

  it("are not made of vectors, integers, casts to integers, or weights that other nodes compute", () => {
    const codes = tensor("int8", [4, 4], new Int8Array(16));
    const cases: readonly [readonly ReturnType<typeof node>[], Tensor][] = [
      [[node("MatMul", ["x", "w"])], waves([4])],
      [[node("Gather", ["w", "x"])], codes],
      [[makeNode("Cast", ["w"], ["t"], { to: int(dataTypes.float32.code) }), node("MatMul", ["x", "t"])], codes],
      [[makeNode("Cast", ["w"], ["t"], { to: int(dataTypes.int64.code) }), node("Gather", ["t", "x"])], waves([4, 4])],
      [[makeNode("Relu", ["w"], ["t"]), node("MatMul", ["x", "t"])], waves([4, 4])],
      [[node("com.microsoft::MatMulNBits", ["x", "w"])], waves([4, 4])],
      [[node("MatMul", ["x", ""])], waves([4, 4])],
    ];
    for (const [nodes, w] of cases) expect(layers(modelOf(nodes, X, { w }))).toEqual([]);
  });

  it.each([
    ["no groups", node("Conv", ["x", "w"], { group: int(0) })],
    ["groups that do not divide", node("ConvTranspose", ["x", "w"], { group: int(5) })],
    ["an axis that is not there", node("Gather", ["w", "x"], { axis: int(4) })],
    ["an axis that is a string", node("Gather", ["w", "x"], { axis: tensorAttr(X) })],
  ])("of %s are refused with BAD_MODEL", (_, bad) => {
    const model = modelOf([bad], waves([1, 4, 4, 4]), { w: waves([4, 4, 2, 2]) });
    expect(() => layers(model)).toThrow(expect.objectContaining({ code: "BAD_MODEL" }));
  });
});

const legacy = realModels.voiceActivity.replace("v5", "legacy");

const isSame = (expected: Uint8Array) => (found: Uint8Array) => Buffer.compare(found, expected) === 0;

describe.each([
  ["recogniser", realModels.recogniser, { Conv: 38, MatMul: 9 }, 2_669_672],
  ["detector", realModels.detector, { Conv: 62, ConvTranspose: 2 }, 1_164_320],
  ["voice activity, older, with LSTM in both branches of If", legacy, { Conv: 36, LSTM: 16 }, 439_362],
  ["voice activity, with Conv in both branches of If", realModels.voiceActivity, { Conv: 12 }, 280_320],
] as const)("layers of the %s", (_, path, operators, parameters) => {
  const model: Model = readOnnx(new Uint8Array(readFileSync(path)));
  const found = layers(model);

  it("are as many as its operators with weights, and hold as many", () => {
    const counts: Record<string, number> = {};
    for (const {
      node: { opType },
    } of found)
      counts[opType] = (counts[opType] ?? 0) + 1;
    expect(counts).toEqual(operators);
    expect(found.reduce((sum, { weight }) => sum + sizeOf(weight.dims), 0)).toBe(parameters);
    expect(new Set(found.map(({ name }) => name)).size).toBe(found.length);
  });

  it("stand where they say, and write back what they read, bit for bit", async () => {
    const graphs = new Map([...walkGraphs(model)].map(({ path: at, graph }) => [at.join("/"), graph]));
    for (const layer of found) {
      expect(graphs.get(layer.path.join("/"))!.nodes).toContain(layer.node);
      const { tensor: file } = layer.weight;
      const written = layer.weight.write(await layer.weight.read());
      expect([written.type, written.dims]).toEqual([file.type, file.dims]);
      expect(bytesOf(written.data as Float32Array)).toSatisfy(isSame(bytesOf(file.data as Float32Array)));
    }
  });
});

import * as ort from "onnxruntime-node";
import { beforeAll, describe, expect, it } from "vitest";
import { graphOf } from "../../test/group-graph.ts";
import { realModels } from "../../test/real-models.ts";
import {
  fold,
  type Group,
  generateFeeds,
  groups,
  type Model,
  mask,
  measureSize,
  openModel,
  openSession,
  readOnnx,
  shrink,
  writeOnnx,
} from "../index.ts";

const two = () => graphOf([2, 3, 6, 6], (b, x) => b.conv(b.op("Relu", [b.conv(x, 3, 4)]), 4, 2)).model;

describe("groups", () => {
  it("lists the slices of every weight that go with a unit, with their role", async () => {
    const [group] = (await groups(two())).groups;
    expect(group).toMatchObject({ kind: "channels", size: 4, producers: ["Conv0"], consumers: ["Conv2"] });
    expect(group.members.map(({ weight, axis, role, indices }) => [weight.name, axis, role, indices])).toEqual([
      ["w0", 0, "out", [[0], [1], [2], [3]]],
      ["w1", 0, "along", [[0], [1], [2], [3]]],
      ["w2", 1, "in", [[0], [1], [2], [3]]],
    ]);
  });

  it("tells what is left of the work of a node: positions of each axis with the units that take them away", async () => {
    const { work } = await groups(two());
    const units = [0, 1, 2, 3].map((unit) => [[0, unit]]);
    expect(work).toEqual([
      { node: "Conv0", axes: [units, [[], [], []]] },
      { node: "Conv2", axes: [[[], []], units] },
    ]);
  });

  it("keeps queries, key and value together: a head of grouped queries takes two query heads and one key head", async () => {
    const { rowCases } = await import("../../test/group-cases.ts");
    const found = (await groups(rowCases["grouped queries"][1]().model)).groups;
    const shared = found.find(({ kind, members }) => kind === "heads" && members.length === 7)!;
    const rows = shared.members.filter(({ role }) => role === "out").map(({ indices }) => indices[0].length);
    expect(rows.sort()).toEqual([4, 4, 8]);
  });

  const stopCases: [string, string, Parameters<typeof graphOf>[1]][] = [
    ["an output of the model", "reaches the model's output", (b, x) => b.conv(x, 3, 4)],
    [
      "a norm over the axis",
      "take the whole axis",
      (b, x) => b.conv(b.op("LayerNormalization", [b.conv(x, 3, 4), b.w(4, 6, 6)], { axis: 1 }), 4, 2),
    ],
    [
      "softmax over the axis",
      "takes the whole axis",
      (b, x) => b.conv(b.op("Softmax", [b.conv(x, 3, 4)], { axis: 1 }), 4, 2),
    ],
    ["the mean over the axis", "takes the whole axis", (b, x) => b.op("ReduceMean", [b.conv(x, 3, 4)], { axes: [1] })],
    ["the largest of the axis", "takes the whole axis", (b, x) => b.op("ArgMax", [b.conv(x, 3, 4)], { axis: 1 })],
    [
      "an operator that no rule follows",
      "LRN is not followed",
      (b, x) => b.conv(b.op("LRN", [b.conv(x, 3, 4)], { size: 3 }), 4, 2),
    ],
    [
      "a sum with an input of the model",
      "cannot both be cut",
      (b, x) => b.conv(b.op("Add", [b.conv(x, 3, 3), x]), 3, 2),
    ],
    [
      "a product with what no mask makes 0",
      "its sum takes in",
      (b, x) => {
        const rows = b.op("Transpose", [b.op("Reshape", [b.conv(x, 3, 4), b.ints(0, 0, 36)])], { perm: [0, 2, 1] });
        const y = b.op("Sigmoid", [rows]);
        return b.op("MatMul", [y, b.op("Transpose", [y], { perm: [0, 2, 1] })]);
      },
    ],
    [
      "a sum over what is not 0 when masked",
      "takes the whole axis",
      (b, x) => b.op("ReduceSum", [b.op("Exp", [b.conv(x, 3, 4)]), b.ints(1)]),
    ],
    [
      "a slice in steps",
      "takes steps",
      (b, x) => b.conv(b.op("Slice", [b.conv(x, 3, 4), b.ints(0), b.ints(4), b.ints(1), b.ints(2)]), 2, 2),
    ],
    [
      "arithmetic with the length of the axis",
      "computes with the length",
      (b, x) => {
        const y = b.conv(x, 3, 4);
        const count = b.op("Cast", [b.op("Gather", [b.op("Shape", [y]), b.ints(1)])], { to: 1 });
        return b.conv(b.op("Div", [y, b.op("Sqrt", [count])]), 4, 2);
      },
    ],
    [
      "a reshape that puts channels and an open length together",
      "not all lengths are known",
      (b, x) => b.op("Sum", [b.op("Reshape", [b.conv(x, 3, 4), b.ints(-1)])]),
    ],
  ];

  it.each(stopCases)("finds no unit behind %s, and says which node stops it", async (_, reason, make) => {
    const { model } = graphOf([2, 3, 6, 6], make);
    const { groups: found, stopped } = await groups(model);
    expect(found).toEqual([]);
    const stop = stopped.find((each) => each.weight === "w0" && each.axis === 0);
    expect(stop?.reason).toContain(reason);
    expect(model.graph.nodes.map(({ name }) => name)).toContain(stop?.node);
    expect(stop?.positions).toBeGreaterThan(1);
  });

  it("leaves alone what a subgraph takes in", async () => {
    const { model } = graphOf([2, 3, 6, 6], (b, x) => b.conv(b.conv(x, 3, 4), 4, 2));
    const { attrs, makeNode } = await import("../index.ts");
    const branch = (name: string) => ({
      ...model.graph,
      inputs: [],
      weights: new Map(),
      outputs: [{ name, type: { kind: "tensor", type: "float32" } as const }],
      nodes: [makeNode("Relu", ["Conv0"], [name])],
    });
    const condition = { type: "bool", dims: [], data: Uint8Array.of(1) } as const;
    const nodes = [
      model.graph.nodes[0],
      makeNode("If", ["yes"], ["z"], {
        then_branch: attrs.graphAttr(branch("a")),
        else_branch: attrs.graphAttr(branch("b")),
      }),
      { ...model.graph.nodes[1], inputs: ["z", ...model.graph.nodes[1].inputs.slice(1)] },
    ];
    const made = {
      ...model,
      graph: { ...model.graph, nodes, weights: new Map([...model.graph.weights, ["yes", condition]]) },
    };
    const { groups: found, stopped } = await groups(made);
    expect(found).toEqual([]);
    expect(stopped.find(({ weight }) => weight === "w0")).toMatchObject({ node: "z", positions: 4 });
  });
});

describe("shrink and mask", () => {
  it("give the model itself when nothing is removed", async () => {
    const model = two();
    expect(await shrink(model, new Map())).toBe(model);
    expect(await mask(model, new Map([["Conv0", []]]))).toBe(model);
  });

  it("refuse groups and units that the model does not have, and to leave an axis empty", async () => {
    const model = two();
    await expect(shrink(model, new Map([["Conv9", [0]]]))).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(shrink(model, new Map([["Conv0", [4]]]))).rejects.toMatchObject({ code: "BAD_OPTION" });
    await expect(mask(model, new Map([["Conv0", [0, 1, 2, 3]]]))).rejects.toMatchObject({ code: "BAD_OPTION" });
  });

  it("leave the given model as it was, and give the same bytes each time", async () => {
    const model = two();
    const before = await writeOnnx(model);
    const removals = new Map([["Conv0", [1, 2]]]);
    const made = [await writeOnnx(await shrink(model, removals)), await writeOnnx(await shrink(model, removals))];
    expect(made[0]).toEqual(made[1]);
    expect(await writeOnnx(model)).toEqual(before);
  });
});

describe.each([
  ["recogniser", 20, ["channels", "heads", "headDims", "neurons"]],
  ["detector", 30, ["channels"]],
  ["classifier", 20, ["channels"]],
] as const)("the OCR %s", (name, least, kinds) => {
  let model: Model;
  let found: readonly Group[];
  beforeAll(async () => {
    model = await fold(await openModel(realModels[name]));
    found = (await groups(model)).groups;
  });

  it(`has ${least} groups at least, of the kinds ${kinds.join(", ")}`, () => {
    expect(found.length).toBeGreaterThanOrEqual(least);
    expect([...new Set(found.map(({ kind }) => kind))].sort()).toEqual([...kinds].sort());
  });

  it("without a tenth of the units of every group gives what the masked one gives, within 1e-5", async () => {
    const removals = new Map(
      found.map((group) => [group, Array.from({ length: Math.floor(group.size / 10) }, (_, i) => 10 * i)] as const),
    );
    const small = readOnnx(await writeOnnx(await shrink(model, removals)));
    expect(measureSize(small).parameters).toBeLessThan(0.95 * measureSize(model).parameters);
    const [feeds] = await generateFeeds(model, { ort, count: 1 });
    const outputs = [];
    for (const each of [await mask(model, removals), small]) {
      const session = await openSession(ort, each, { threads: 1 });
      outputs.push(Object.values(await session.run(feeds))[0]);
      await session.release();
    }
    const [expected, actual] = outputs;
    expect(actual.dims).toEqual(expected.dims);
    // probabilities
    const [a, b] = [expected.data as Float32Array, actual.data as Float32Array];
    expect(a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)).toBeLessThanOrEqual(1e-5);
  });
});

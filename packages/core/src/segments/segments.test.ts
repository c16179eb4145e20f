import { readFileSync } from "node:fs";
import fc from "fast-check";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { mutate, mutation } from "../../test/mutate.ts";
import { realFeeds } from "../../test/real-feeds.ts";
import { realModels } from "../../test/real-models.ts";
import { float, int, ints, makeNode } from "../attrs.ts";
import { isEspalierError } from "../errors.ts";
import { producers } from "../graph.ts";
import { layers } from "../layers/find-layers.ts";
import type { Model } from "../model.ts";
import { readOnnx } from "../onnx/read.ts";
import type { Feeds } from "../pass.ts";
import { openSession } from "../run/session.ts";
import { dataTypes, type Tensor, tensor } from "../tensor.ts";
import { gaussian, tinyModel, tinyTransformer } from "../testing/index.ts";
import { segmentModel } from "./segment-model.ts";
import { type SegmentOptions, segments } from "./segments.ts";

const run = async (model: Model, feeds: Feeds): Promise<Readonly<Record<string, Tensor>>> => {
  const session = await openSession(ort, model, { threads: 1, ortOptions: { graphOptimizationLevel: "disabled" } });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
};

/** Every segment after the other, each from what those before gave. */
const replay = async (
  model: Model,
  feeds: Feeds,
  options: SegmentOptions,
): Promise<Readonly<Record<string, Tensor>>> => {
  const values: Record<string, Tensor> = { ...feeds };
  for (const segment of segments(model, options)) {
    const given = Object.fromEntries(segment.inputs.map((name) => [name, values[name]]));
    Object.assign(values, await run(segmentModel(model, segment), given));
  }
  return Object.fromEntries(model.graph.outputs.map(({ name }) => [name, values[name]]));
};

const expectReplayed = async (model: Model, feeds: Feeds, options: SegmentOptions = {}) => {
  const [whole, pieces] = [await run(model, feeds), await replay(model, feeds, options)];
  for (const [name, { type, dims, data }] of Object.entries(whole)) {
    expect([pieces[name].type, pieces[name].dims]).toEqual([type, dims]);
    expect(Array.from(pieces[name].data as Float32Array)).toEqual(Array.from(data as Float32Array));
  }
};

const node = (op: string, inputs: readonly string[], output: string, attributes = {}) =>
  makeNode(op, inputs, [output], attributes, { name: output });

const WIDTH = 8;
const linear = (seed: number) => gaussian([WIDTH, WIDTH], seed, WIDTH ** -0.5);

/** Two blocks of attention with one mask for both, made from integers; a length of an inner value is used by both. */
const masked = (): Model => {
  const block = (b: number, x: string, y: string) => [
    ...["q", "k", "v"].map((name) => node("MatMul", [x, `w_${name}${b}`], `${name}${b}`)),
    node("Transpose", [`k${b}`], `kt${b}`, { perm: ints([0, 2, 1]) }),
    node("MatMul", [`q${b}`, `kt${b}`], `qk${b}`),
    node("Add", [`qk${b}`, "mask"], `scores${b}`),
    node("Softmax", [`scores${b}`], `shares${b}`, { axis: int(-1) }),
    node("MatMul", [`shares${b}`, `v${b}`], `mixed${b}`),
    node("Reshape", [`mixed${b}`, "length"], `shaped${b}`),
    node("Add", [x, `shaped${b}`], `sum${b}`),
    node("MatMul", [`sum${b}`, `w_up${b}`], `up${b}`),
    node("Relu", [`up${b}`], `act${b}`),
    node("Add", [`sum${b}`, `act${b}`], y),
  ];
  const names = ["q", "k", "v", "up"].flatMap((name) => [`w_${name}0`, `w_${name}1`]);
  return tinyModel({
    inputs: { ids: ["int64", [1, "length"]], mask_ids: ["int64", [1, "length"]] },
    outputs: ["y"],
    weights: {
      table: gaussian([16, WIDTH], 1),
      one: tensor("float32", [], Float32Array.of(1)),
      low: tensor("float32", [], Float32Array.of(-1e4)),
      axis: tensor("int64", [1], BigInt64Array.of(1n)),
      ...Object.fromEntries(names.map((name, i) => [name, linear(i + 2)])),
    },
    nodes: [
      node("Cast", ["mask_ids"], "mask_f", { to: int(dataTypes.float32.code) }),
      node("Sub", ["one", "mask_f"], "mask_r"),
      node("Mul", ["mask_r", "low"], "mask_s"),
      node("Unsqueeze", ["mask_s", "axis"], "mask"),
      node("Gather", ["table", "ids"], "e"),
      node("MatMul", ["e", "w_up0"], "h"),
      node("Shape", ["h"], "length"),
      ...block(0, "h", "x1"),
      ...block(1, "x1", "y"),
    ],
  });
};

const ids = { ids: tensor("int64", [1, 5], BigInt64Array.of(3n, 1n, 4n, 1n, 5n)) };
const maskedFeeds = { ...ids, mask_ids: tensor("int64", [1, 5], BigInt64Array.of(1n, 1n, 1n, 1n, 0n)) };
const real = (path: string) => readOnnx(new Uint8Array(readFileSync(path)));

const transformer = tinyTransformer();
const cases: readonly (readonly [string, () => Model, Feeds, SegmentOptions, number])[] = [
  ["recogniser", () => real(realModels.recogniser), realFeeds.recogniser, {}, 35],
  ["detector", () => real(realModels.detector), realFeeds.detector, {}, 11],
  ["detector, four values crossing", () => real(realModels.detector), realFeeds.detector, { crossing: 4 }, 54],
  ["classifier", () => real(realModels.classifier), realFeeds.classifier, {}, 25],
  ["voice activity", () => real(realModels.voiceActivity), realFeeds.voiceActivity, {}, 1],
  ["tiny transformer", () => transformer.model, transformer.samples[0], {}, 4],
  ["two blocks with a mask", masked, maskedFeeds, {}, 5],
];

describe.each(cases)("segments of the %s", (_, make, feeds, options, count) => {
  const model = make();

  it("give the whole model's outputs bit for bit, one after the other", () => expectReplayed(model, feeds, options));

  it(`are ${count}, and hold every layer once`, () => {
    const found = segments(model, options);
    expect(found.length).toBe(count);
    const names = found.flatMap((segment) => segment.layers.map(({ name }) => name));
    expect(names.sort()).toEqual(
      layers(model)
        .map(({ name }) => name)
        .sort(),
    );
    expect(new Set(found.map(({ name }) => name)).size).toBe(count);
  });

  it("need inputs of the model, lengths, and no more of what earlier ones made than may cross", () => {
    const given = new Set(model.graph.inputs.map(({ name }) => name));
    const makers = producers(model.graph);
    for (const { inputs } of segments(model, options)) {
      const crossing = inputs.filter((name) => !given.has(name) && makers.get(name)?.opType !== "Shape");
      expect(crossing.length).toBeLessThanOrEqual(options.crossing ?? 1);
    }
  });
});

describe("segments", () => {
  it("compute masks and embeddings anew from the model's inputs where they need them", () => {
    const found = segments(masked());
    expect(found.map(({ inputs, outputs }) => [inputs, outputs])).toEqual(
      [
        [["ids"], ["h", "length"]],
        [["mask_ids", "h", "length"], ["sum0"]],
        [["sum0"], ["x1"]],
        [["mask_ids", "x1", "length"], ["sum1"]],
        [["sum1"], ["y"]],
      ].map((pair) => pair.map((names) => expect.toSatisfy((list: string[]) => sameSet(list, names)))),
    );
    expect(found.filter(({ nodes }) => nodes.some(({ name }) => name === "mask")).length).toBe(2);
  });

  it("share a model's weights, and declare inner inputs by type and rank", () => {
    const model = real(realModels.detector);
    const second = segments(model)[1];
    const piece = segmentModel(model, second);
    for (const [name, weight] of piece.graph.weights) expect(weight).toBe(model.graph.weights.get(name));
    expect(piece.graph.inputs.map(({ type }) => type)).toEqual([expect.objectContaining({ type: "float32" })]);
    const mask = tinyModel({
      inputs: { x: ["float32", [2, 2]] },
      outputs: ["y"],
      weights: { w: gaussian([2, 2], 1), v: gaussian([2, 2], 2) },
      nodes: [
        makeNode("MatMul", ["x", "w"], ["a"]),
        makeNode("Greater", ["a", "w"], ["b"]),
        makeNode("Where", ["b", "w", "v"], ["c"]),
        makeNode("MatMul", ["c", "v"], ["y"]),
      ],
    });
    const whole = segments(mask, { carry: ["a"] })[1];
    const typed = segmentModel(mask, { ...whole, inputs: ["b"] }, { types: new Map([["b", "bool"]]) });
    expect(typed.graph.inputs[0].type).toEqual({ kind: "tensor", type: "bool" });
  });

  it("cut where many places read one value only when it is carried, as an encoder's output is", async () => {
    const nodes = [
      node("MatMul", ["x", "w0"], "encoded"),
      node("MatMul", ["encoded", "w1"], "a"),
      node("Add", ["a", "encoded"], "b"),
      node("MatMul", ["b", "w2"], "c"),
      node("Add", ["c", "encoded"], "y"),
    ];
    const weights = { w0: linear(1), w1: linear(2), w2: linear(3) };
    const model = tinyModel({ inputs: { x: ["float32", [2, WIDTH]] }, outputs: ["y"], weights, nodes });
    expect(segments(model).map(({ name }) => name)).toEqual(["encoded", "a"]);
    const carried = segments(model, { carry: ["encoded"] });
    expect(carried.map(({ name, inputs }) => [name, inputs])).toEqual([
      ["encoded", ["x"]],
      ["a", ["encoded"]],
      ["c", ["b", "encoded"]],
    ]);
    await expectReplayed(model, { x: gaussian([2, WIDTH], 9) }, { carry: ["encoded"] });
    expect(() => segments(model, { carry: ["nothing"] })).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
    expect(() => segments(model, { crossing: Number.NaN })).toThrow(expect.objectContaining({ code: "BAD_OPTION" }));
  });

  it("give outputs that are made early, are inputs, weights or masks, and leave out what no output needs", async () => {
    const nodes = [
      node("MatMul", ["x", "w"], "early"),
      node("Relu", ["x"], "mask"),
      node("Relu", ["early"], "r"),
      node("MatMul", ["early", "w"], "unused"),
      node("MatMul", ["r", "v"], "y"),
    ];
    const outputs = ["early", "x", "w", "mask", "y"];
    const weights = { w: linear(1), v: linear(2) };
    const model = tinyModel({ inputs: { x: ["float32", [2, WIDTH]] }, outputs, weights, nodes });
    const found = segments(model);
    expect(found.map((segment) => segment.nodes.map(({ name }) => name))).toEqual([
      ["early", "r"],
      ["mask", "y"],
    ]);
    expect(found.map((segment) => segment.outputs)).toEqual([
      ["early", "r"],
      ["y", "x", "w", "mask"],
    ]);
    await expectReplayed(model, { x: gaussian([2, WIDTH], 9) });
  });

  it("compute random values once, and a graph without layers in one piece", () => {
    const random = makeNode("RandomNormal", [], ["noise"], { shape: ints([1, WIDTH]), scale: float(0.1) });
    const nodes = [
      random,
      node("MatMul", ["x", "w"], "a"),
      node("Add", ["a", "noise"], "b"),
      node("MatMul", ["b", "w"], "c"),
      node("Add", ["c", "noise"], "y"),
    ];
    const inputs = { x: ["float32", [1, WIDTH]] } as const;
    const model = tinyModel({ inputs, outputs: ["y"], weights: { w: linear(1) }, nodes });
    const found = segments(model, { carry: ["noise"] });
    expect(found.map((segment) => segment.nodes.includes(random))).toEqual([true, false]);
    expect(found[1].inputs).toEqual(["b", "noise"]);
    const plain = tinyModel({ inputs: { x: ["float32", [1]] }, outputs: ["y"], nodes: [node("Relu", ["x"], "y")] });
    expect(segments(plain).map(({ name, inputs }) => [name, inputs])).toEqual([["y", ["x"]]]);
  });
});

it("segments of a damaged classifier are a list or an EspalierError (200 mutations)", () => {
  const file = new Uint8Array(readFileSync(realModels.classifier));
  fc.assert(
    fc.property(mutation(file.length), (m) => {
      try {
        const model = readOnnx(mutate(file, m));
        for (const segment of segments(model)) segmentModel(model, segment);
      } catch (error) {
        if (!isEspalierError(error)) throw error;
      }
    }),
    { seed: 20_26, numRuns: 200 },
  );
});

const sameSet = (a: readonly string[], b: readonly string[]) =>
  JSON.stringify([...a].sort()) === JSON.stringify([...b].sort());

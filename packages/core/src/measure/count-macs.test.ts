import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { countingOrt } from "../../test/counting-ort.ts";
import { realFeeds } from "../../test/real-feeds.ts";
import { realModels } from "../../test/real-models.ts";
import * as attrs from "../attrs.ts";
import { makeNode } from "../attrs.ts";
import type { Attribute, Dim } from "../model.ts";
import { openModel } from "../onnx/open.ts";
import type { Feeds } from "../pass.ts";
import { arrayLengthOf, type DataType, dataTypes, type Tensor, tensor } from "../tensor.ts";
import { gaussian, tinyConv, tinyLstm, tinyMlp, tinyModel, tinyTransformer } from "../testing/index.ts";
import { countMacs } from "./count-macs.ts";

const ms = { domain: "com.microsoft" };
const zeros = (type: DataType, dims: readonly number[]): Tensor => {
  const array = dataTypes[type].array as unknown as new (length: number) => Float32Array;
  return tensor(type as "float32", dims, new array(arrayLengthOf(type, dims)));
};
const ones = (type: DataType, dims: readonly number[]): Tensor => {
  const made = zeros(type, dims);
  (made.data as Float32Array).fill(1);
  return made;
};

interface Case {
  readonly op: string;
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** In order, weights and inputs by name, "" where left out. */
  readonly takes: readonly string[];
  readonly weights?: Readonly<Record<string, Tensor>>;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly gives?: Readonly<Record<string, DataType>>;
  readonly contrib?: boolean;
  readonly opset?: number;
  readonly macs: number;
}

const run = async ({
  op,
  inputs,
  takes,
  weights,
  attributes,
  gives = { y: "float32" },
  contrib,
  opset = 17,
  macs,
}: Case) => {
  const model = tinyModel({
    inputs: Object.fromEntries(
      Object.entries(inputs).map(([name, { type, dims }]) => [name, [type, dims.map((): Dim => null)]]),
    ),
    outputs: gives,
    nodes: [makeNode(op, takes, Object.keys(gives), attributes, contrib ? ms : {})],
    weights,
    opset,
    irVersion: 10,
    domains: contrib ? { "com.microsoft": 1 } : {},
  });
  const { total, layers } = await countMacs(model, { ort, feeds: inputs });
  expect(total, op).toBe(macs);
  expect(layers).toEqual([{ name: Object.keys(gives)[0], macs }]);
};

const f = (...dims: number[]) => gaussian(dims, 1);
const heads = (count: number) => ({ num_heads: attrs.int(count) });

const products: readonly Case[] = [
  { op: "MatMul", inputs: { a: f(2, 3, 4, 5), b: f(3, 5, 7) }, takes: ["a", "b"], macs: 2 * 3 * 4 * 7 * 5 },
  { op: "MatMul", inputs: { a: f(5), b: f(5, 7) }, takes: ["a", "b"], macs: 5 * 7 },
  { op: "MatMul", inputs: { a: f(5), b: f(5) }, takes: ["a", "b"], macs: 5 },
  {
    op: "Gemm",
    inputs: { a: f(5, 4), b: f(7, 5) },
    takes: ["a", "b"],
    attributes: { transA: attrs.int(1), transB: attrs.int(1) },
    macs: 4 * 5 * 7,
  },
  {
    op: "FusedMatMul",
    inputs: { a: f(2, 5, 4), b: f(2, 5, 7) },
    takes: ["a", "b"],
    attributes: { transA: attrs.int(1) },
    contrib: true,
    macs: 2 * 4 * 5 * 7,
  },
  {
    op: "MatMulInteger",
    inputs: { a: zeros("uint8", [4, 5]), b: zeros("int8", [5, 7]) },
    takes: ["a", "b"],
    gives: { y: "int32" },
    macs: 4 * 5 * 7,
  },
  {
    op: "QLinearMatMul",
    inputs: { a: zeros("uint8", [4, 5]) },
    weights: { b: zeros("uint8", [5, 7]), s: ones("float32", []), z: zeros("uint8", []) },
    takes: ["a", "s", "z", "b", "s", "z", "s", "z"],
    gives: { y: "uint8" },
    macs: 4 * 5 * 7,
  },
  {
    op: "DynamicQuantizeMatMul",
    inputs: { a: f(3, 4, 5) },
    weights: { b: zeros("int8", [5, 7]), s: ones("float32", [7]) },
    takes: ["a", "b", "s"],
    contrib: true,
    macs: 3 * 4 * 5 * 7,
  },
  {
    op: "MatMulIntegerToFloat",
    inputs: { a: zeros("uint8", [4, 5]) },
    weights: { b: zeros("int8", [5, 7]), s: ones("float32", []) },
    takes: ["a", "b", "s", "s"],
    contrib: true,
    macs: 4 * 5 * 7,
  },
  {
    op: "MatMulNBits",
    inputs: { a: f(3, 4, 40) },
    weights: { b: zeros("uint8", [7, 2, 16]), s: ones("float32", [14]) },
    takes: ["a", "b", "s"],
    attributes: { K: attrs.int(40), N: attrs.int(7), bits: attrs.int(4), block_size: attrs.int(32) },
    contrib: true,
    // the last block is padded in the file, and nothing is multiplied there
    macs: 3 * 4 * 40 * 7,
  },
  {
    op: "Einsum",
    inputs: { a: f(2, 3, 4), b: f(5, 4, 2) },
    takes: ["a", "b"],
    attributes: { equation: attrs.string("bij,kjb->bik") },
    macs: 2 * 3 * 4 * 5,
  },
  {
    op: "Einsum",
    inputs: { a: f(6, 2, 3, 4), b: f(6, 2, 4, 5) },
    takes: ["a", "b"],
    attributes: { equation: attrs.string("...ij, ...jk -> ...ik") },
    macs: 6 * 2 * 3 * 4 * 5,
  },
];

const pads = attrs.ints([1, 1, 1, 1]);
const convolutions: readonly Case[] = [
  {
    op: "Conv",
    inputs: { x: f(2, 6, 9, 8) },
    weights: { w: f(4, 3, 3, 3), b: f(4) },
    takes: ["x", "w", "b"],
    attributes: { group: attrs.int(2), strides: attrs.ints([2, 2]), pads },
    macs: 2 * 4 * 5 * 4 * (3 * 3 * 3),
  },
  {
    op: "FusedConv",
    inputs: { x: f(1, 3, 8, 8) },
    weights: { w: f(4, 3, 3, 3) },
    takes: ["x", "w"],
    attributes: { activation: attrs.string("Relu"), kernel_shape: attrs.ints([3, 3]), pads },
    contrib: true,
    macs: 4 * 64 * 27,
  },
  {
    op: "ConvInteger",
    inputs: { x: zeros("uint8", [1, 3, 8, 8]) },
    weights: { w: zeros("uint8", [4, 3, 3, 3]) },
    takes: ["x", "w"],
    gives: { y: "int32" },
    macs: 4 * 36 * 27,
  },
  {
    op: "QLinearConv",
    inputs: { x: zeros("uint8", [1, 3, 8, 8]) },
    weights: { w: zeros("int8", [4, 3, 3, 3]), s: ones("float32", []), z: zeros("uint8", []), zw: zeros("int8", []) },
    takes: ["x", "s", "z", "w", "s", "zw", "s", "z"],
    attributes: { pads },
    gives: { y: "uint8" },
    macs: 4 * 64 * 27,
  },
  {
    op: "ConvTranspose",
    inputs: { x: f(1, 4, 5, 5) },
    weights: { w: f(4, 3, 2, 2) },
    takes: ["x", "w"],
    attributes: { group: attrs.int(2), strides: attrs.ints([2, 2]) },
    macs: 4 * 25 * 3 * 4,
  },
];

const recurrent: readonly Case[] = [
  ["LSTM", 4],
  ["GRU", 3],
  ["RNN", 1],
].map(
  ([op, gates]): Case => ({
    op: op as string,
    inputs: { x: f(6, 2, 5) },
    weights: { w: f(2, 7 * Number(gates), 5), r: f(2, 7 * Number(gates), 7) },
    takes: ["x", "w", "r"],
    attributes: { hidden_size: attrs.int(7), direction: attrs.string("bidirectional") },
    macs: 6 * 2 * 2 * Number(gates) * 7 * (5 + 7),
  }),
);

const attention: readonly Case[] = [
  {
    op: "Attention",
    inputs: { x: f(2, 3, 8) },
    weights: { w: f(8, 24), b: f(24) },
    takes: ["x", "w", "b"],
    attributes: heads(2),
    contrib: true,
    macs: 2 * 3 * 8 * 24 + 2 * (2 * 3 * 3 * 8),
  },
  {
    op: "QAttention",
    inputs: { x: zeros("uint8", [2, 3, 8]) },
    weights: {
      w: zeros("int8", [8, 24]),
      b: zeros("float32", [24]),
      s: ones("float32", []),
      zx: zeros("uint8", []),
      zw: zeros("int8", []),
    },
    takes: ["x", "w", "b", "s", "s", "", "zx", "zw"],
    attributes: heads(2),
    contrib: true,
    macs: 2 * 3 * 8 * 24 + 2 * (2 * 3 * 3 * 8),
  },
  {
    op: "MultiHeadAttention",
    inputs: { q: f(2, 3, 8), k: f(2, 5, 8), v: f(2, 5, 8) },
    takes: ["q", "k", "v"],
    attributes: heads(2),
    contrib: true,
    macs: 2 * (2 * 3 * 5 * 8),
  },
  {
    op: "GroupQueryAttention",
    inputs: {
      q: f(1, 3, 32),
      k: f(1, 3, 16),
      v: f(1, 3, 16),
      pastKey: f(1, 2, 4, 8),
      pastValue: f(1, 2, 4, 8),
      lengths: tensor("int32", [1], Int32Array.of(6)),
      total: tensor("int32", [], Int32Array.of(7)),
    },
    takes: ["q", "k", "v", "pastKey", "pastValue", "lengths", "total"],
    attributes: { ...heads(4), kv_num_heads: attrs.int(2) },
    gives: { y: "float32", presentKey: "float32", presentValue: "float32" },
    contrib: true,
    macs: 2 * (3 * 7 * 32),
  },
  {
    op: "Attention",
    inputs: { q: f(1, 2, 3, 8), k: f(1, 2, 5, 8), v: f(1, 2, 5, 6) },
    takes: ["q", "k", "v"],
    opset: 23,
    macs: 2 * 3 * 5 * (8 + 6),
  },
];

describe("countMacs", () => {
  const groups = { products, convolutions, "recurrent layers": recurrent, attention };
  it.each(Object.entries(groups))("counts %s as by hand", async (_, cases) => {
    for (const each of cases) await run(each);
  });

  it("sums over the layers of the tiny models, by name and in order", async () => {
    const of = async ({ model, samples }: ReturnType<typeof tinyMlp>) => countMacs(model, { ort, feeds: samples[0] });
    expect(await of(tinyMlp())).toEqual({
      total: 4 * (24 * 48 + 48 * 10),
      layers: [
        { name: "m", macs: 4 * 24 * 48 },
        { name: "y", macs: 4 * 48 * 10 },
      ],
    });
    expect((await of(tinyConv())).total).toBe(144 * (16 * 27 + 16 * 9 + 32 * 16) + 320);
    expect((await of(tinyLstm())).total).toBe(5 * 4 * 12 * (8 + 12));
    expect((await of(tinyTransformer())).total).toBe(7 * 12 * 32 * 32 + 2 * 7 * 7 * 32);
  });

  it("counts the branch of an If that ran, and nothing of the other", async () => {
    const branch = (w: string) =>
      tinyModel({ inputs: {}, outputs: ["b"], nodes: [makeNode("MatMul", ["x", w], ["b"], {}, { name: w })] }).graph;
    const model = tinyModel({
      inputs: { x: ["float32", [2, 3]], yes: ["bool", []] },
      outputs: ["y"],
      weights: { small: f(3, 4), large: f(3, 50) },
      nodes: [
        makeNode("If", ["yes"], ["y"], {
          then_branch: attrs.graphAttr(branch("small")),
          else_branch: attrs.graphAttr(branch("large")),
        }),
      ],
    });
    const taken = async (yes: number) =>
      (await countMacs(model, { ort, feeds: { x: f(2, 3), yes: tensor("bool", [], Uint8Array.of(yes)) } })).layers;
    expect(await taken(1)).toEqual([{ name: "small", macs: 24 }]);
    expect(await taken(0)).toEqual([{ name: "large", macs: 300 }]);
  });

  it("counts every iteration of a Loop, also with an If inside, whose values change their dims", async () => {
    const inner = (nodes: ReturnType<typeof makeNode>[]) => tinyModel({ inputs: {}, outputs: ["i"], nodes }).graph;
    const body = {
      ...tinyModel({
        inputs: { n: ["int64", []], go: ["bool", []], state: ["float32", [null, 3]] },
        outputs: { goOn: "bool", longer: "float32" },
        nodes: [
          makeNode("Identity", ["go"], ["goOn"]),
          makeNode("MatMul", ["state", "w"], ["product"], {}, { name: "each" }),
          makeNode("Concat", ["product", "row"], ["longer"], { axis: attrs.int(0) }),
          makeNode("Equal", ["n", "one"], ["second"]),
          makeNode("If", ["second"], ["unused"], {
            then_branch: attrs.graphAttr(inner([makeNode("MatMul", ["state", "w"], ["i"], {}, { name: "once" })])),
            else_branch: attrs.graphAttr(inner([makeNode("Identity", ["row"], ["i"])])),
          }),
        ],
      }).graph,
    };
    const model = tinyModel({
      inputs: { x: ["float32", [null, 3]] },
      outputs: ["y"],
      weights: {
        w: f(3, 3),
        row: f(1, 3),
        trips: tensor("int64", [], BigInt64Array.of(4n)),
        one: tensor("int64", [], BigInt64Array.of(1n)),
      },
      nodes: [makeNode("Loop", ["trips", "", "x"], ["y"], { body: attrs.graphAttr(body) })],
    });
    const { layers } = await countMacs(model, { ort, feeds: { x: f(2, 3) } });
    expect(layers).toEqual([
      { name: "each", macs: (2 + 3 + 4 + 5) * 9 },
      { name: "once", macs: 3 * 9 },
    ]);
  });

  it("counts every iteration of a Scan", async () => {
    const body = tinyModel({
      inputs: { state: ["float32", [1, 3]], x: ["float32", [1, 3]] },
      outputs: ["next", "out"],
      nodes: [
        makeNode("MatMul", ["state", "w"], ["product"]),
        makeNode("Add", ["product", "x"], ["next"]),
        makeNode("Identity", ["next"], ["out"]),
      ],
    }).graph;
    const model = tinyModel({
      inputs: { first: ["float32", [1, 3]], xs: ["float32", [6, 1, 3]] },
      outputs: ["y"],
      weights: { w: f(3, 3) },
      nodes: [
        makeNode("Scan", ["first", "xs"], ["last", "y"], {
          body: attrs.graphAttr(body),
          num_scan_inputs: attrs.int(1),
          scan_output_directions: attrs.ints([0]),
        }),
      ],
    });
    expect((await countMacs(model, { ort, feeds: { first: f(1, 3), xs: f(6, 1, 3) } })).total).toBe(6 * 9);
  });

  it("counts the real models, old opsets and nested branches: what their layers' dims give", async () => {
    const { total, layers } = await countMacs(await openModel(realModels.recogniser), {
      ort,
      feeds: realFeeds.recogniser,
    });
    // 12 positions of 120 channels by 6,625 characters
    expect(layers.at(-1)!.macs).toBe(12 * 120 * 6625);
    expect(total).toBe(layers.reduce((sum, { macs }) => sum + macs, 0));
    const voice = await countMacs(await openModel(realModels.voiceActivity), { ort, feeds: realFeeds.voiceActivity });
    // the recurrent layer: 4 gates of 128 from 128 and 128
    expect(voice.layers.map(({ macs }) => macs)).toContain(4 * 128 * 256);
  });

  it("is 0 without a run where nothing multiplies, stops when told to, and releases its session", async () => {
    const idle = tinyModel({ inputs: { x: ["float32", [2]] }, outputs: ["y"], nodes: [makeNode("Neg", ["x"], ["y"])] });
    const { counted, open, opened } = countingOrt(ort);
    expect(await countMacs(idle, { ort: counted, feeds: {} })).toEqual({ total: 0, layers: [] });
    expect(opened()).toBe(0);
    const { model, samples } = tinyMlp();
    const failing = (feeds: Feeds, signal?: AbortSignal) =>
      countMacs(model, { ort: counted, feeds, ...(signal && { signal }) });
    await expect(failing(samples[0], AbortSignal.abort())).rejects.toMatchObject({ code: "ABORTED" });
    await expect(failing({})).rejects.toMatchObject({ code: "BAD_DATA" });
    expect(open()).toBe(0);
  });
});

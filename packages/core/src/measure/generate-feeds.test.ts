import * as ort from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { countingOrt } from "../../test/counting-ort.ts";
import { realModels } from "../../test/real-models.ts";
import * as attrs from "../attrs.ts";
import { makeNode } from "../attrs.ts";
import { openModel } from "../onnx/open.ts";
import { openSession } from "../run/session.ts";
import { tensor } from "../tensor.ts";
import { gaussian, tinyModel, tinyModels } from "../testing/index.ts";
import { generateFeeds, generateInputs } from "./generate-feeds.ts";

web.env.wasm.numThreads = 1;

describe("generateFeeds", () => {
  it.each(Object.entries(realModels))("makes inputs that the %s runs with, to finite outputs", async (_, path) => {
    const model = await openModel(path);
    const feeds = await generateFeeds(model, { ort, count: 2, threads: 1 });
    expect(feeds.length).toBe(2);
    const session = await openSession(ort, model, { threads: 1 });
    for (const feed of feeds)
      for (const { dims, data } of Object.values(await session.run(feed))) {
        expect(dims).not.toContain(0);
        expect((data as Float32Array).every(Number.isFinite)).toBe(true);
      }
    await session.release();
  });

  it.each(Object.entries(tinyModels))("makes inputs for the tiny %s, the same for the same seed", async (_, make) => {
    const { model } = make();
    const first = await generateFeeds(model, { ort, seed: 5 });
    expect(await generateFeeds(model, { ort, seed: 5 })).toEqual(first);
    expect(await generateFeeds(model, { ort, seed: 6 })).not.toEqual(first);
    expect(new Set(first.map((feed) => String(Object.values(feed)[0].data))).size).toBe(first.length);
  });

  it("draws ids below the rows of the table that they reach through Cast and Reshape, in a subgraph too", async () => {
    const lookUp = (table: string, ids: string) => makeNode("Gather", [table, ids], ["found"]);
    const branch = (table: string) => ({
      ...tinyModel({ inputs: {}, outputs: ["found"], nodes: [lookUp(table, "flat")] }).graph,
    });
    const model = tinyModel({
      inputs: { ids: ["int32", ["batch", "length"]] },
      outputs: ["y"],
      weights: {
        small: gaussian([7, 4], 1),
        large: gaussian([900, 4], 2),
        shape: tensor("int64", [1], BigInt64Array.of(-1n)),
        yes: tensor("bool", [], Uint8Array.of(1)),
      },
      nodes: [
        makeNode("Cast", ["ids"], ["wide"], { to: attrs.int(7) }),
        makeNode("Reshape", ["wide", "shape"], ["flat"]),
        makeNode("If", ["yes"], ["y"], {
          then_branch: attrs.graphAttr(branch("large")),
          else_branch: attrs.graphAttr(branch("small")),
        }),
      ],
    });
    const feeds = await generateFeeds(model, { ort });
    const ids = feeds.flatMap((feed) => [...(feed.ids.data as Int32Array)]);
    expect(Math.max(...ids)).toBe(6);
    expect(Math.min(...ids)).toBe(0);
  });

  it("gives equal lengths to equal symbols, ones to masks, zeros to types and positions in order", async () => {
    const shape = ["batch", "length"];
    const model = tinyModel({
      inputs: {
        ids: ["int64", shape],
        attention_mask: ["int64", shape],
        token_type_ids: ["int64", shape],
        position_ids: ["int64", shape],
      },
      outputs: { y: "int64" },
      weights: {
        table: tensor(
          "int64",
          [50],
          BigInt64Array.from({ length: 50 }, (_, i) => BigInt(i)),
        ),
      },
      nodes: [
        makeNode("Gather", ["table", "ids"], ["e"]),
        makeNode("Sum", ["attention_mask"], ["m"]),
        makeNode("Add", ["e", "attention_mask"], ["a"]),
        makeNode("Add", ["a", "token_type_ids"], ["b"]),
        makeNode("Add", ["b", "position_ids"], ["y"]),
      ].filter(({ opType }) => opType !== "Sum"),
    });
    const [feed] = await generateFeeds(model, { ort });
    expect(Object.values(feed).map(({ dims }) => dims)).toEqual(new Array(4).fill([1, 32]));
    expect([...(feed.attention_mask.data as BigInt64Array)]).toEqual(new Array(32).fill(1n));
    expect([...(feed.token_type_ids.data as BigInt64Array)]).toEqual(new Array(32).fill(0n));
    expect([...(feed.position_ids.data as BigInt64Array)]).toEqual(Array.from({ length: 32 }, (_, i) => BigInt(i)));
  });

  it("tries other lengths where the likely ones do not run", async () => {
    const model = tinyModel({
      inputs: { x: ["float32", ["batch", "length"]] },
      outputs: ["y"],
      weights: { w: gaussian([77, 3], 1) },
      nodes: [makeNode("MatMul", ["x", "w"], ["y"])],
    });
    const { feeds, inputs } = await generateInputs(model, { ort });
    expect(feeds[0].x.dims).toEqual([1, 77]);
    expect(inputs).toEqual([{ name: "x", dims: [1, 77], what: "Gaussian noise" }]);
  });

  it.each([
    ["onnxruntime-node", ort],
    ["onnxruntime-web", web],
  ])("carries a cache on in %s: every other sample is one position after the sample before", async (_, ort) => {
    const model = tinyModel({
      inputs: {
        x: ["float32", ["batch", "sequence", 4]],
        attention_mask: ["int64", ["batch", "total_sequence"]],
        "past.key": ["float32", ["batch", "past_sequence", 4]],
      },
      outputs: { "present.key": "float32", length: "int64" },
      nodes: [
        makeNode("Concat", ["past.key", "x"], ["present.key"], { axis: attrs.int(1) }),
        makeNode("Shape", ["attention_mask"], ["length"]),
      ],
    });
    const withShape = {
      ...model,
      graph: {
        ...model.graph,
        outputs: model.graph.outputs.map((output) =>
          output.name === "length"
            ? output
            : { ...output, type: { kind: "tensor", type: "float32", shape: ["batch", "total_sequence", 4] } as const },
        ),
      },
    };
    const feeds = await generateFeeds(withShape, { ort, count: 3 });
    expect(feeds.map((feed) => feed.x.dims[1])).toEqual([32, 1, 32]);
    expect(feeds.map((feed) => feed["past.key"].dims[1])).toEqual([0, 32, 0]);
    expect(feeds.map((feed) => feed.attention_mask.dims[1])).toEqual([32, 33, 32]);
    expect(feeds[1]["past.key"].data).toEqual(feeds[0].x.data);
  });

  it("asks for data where an input cannot be guessed or nothing runs, and releases its session", async () => {
    const text = tinyModel({
      inputs: { words: ["string", [2]] },
      outputs: { y: "string" },
      nodes: [makeNode("Identity", ["words"], ["y"])],
    });
    await expect(generateFeeds(text, { ort })).rejects.toMatchObject({
      code: "BAD_DATA",
      message: expect.stringMatching(/"words".*--data/),
    });
    const never = tinyModel({
      inputs: { x: ["float32", ["batch", "length"]] },
      outputs: ["y"],
      weights: { w: gaussian([12345, 3], 1) },
      nodes: [makeNode("MatMul", ["x", "w"], ["y"])],
    });
    const { counted, open } = countingOrt(ort);
    await expect(generateFeeds(never, { ort: counted })).rejects.toMatchObject({ code: "BAD_DATA" });
    const aborted = generateFeeds(text, { ort: counted, signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: "ABORTED" });
    expect(open()).toBe(0);
  });
});

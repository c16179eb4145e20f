import { describe, expect, it } from "vitest";
import * as attrs from "../../attrs.ts";
import { makeNode } from "../../attrs.ts";
import type { Dim, Node } from "../../model.ts";
import { openModel } from "../../onnx/open.ts";
import { writeOnnx } from "../../onnx/write.ts";
import { type DataType, tensor } from "../../tensor.ts";
import { gaussian, tinyModel } from "../../testing/index.ts";
import { inputsOf } from "./input-roles.ts";

type Signature = Readonly<Record<string, readonly [DataType, readonly Dim[]]>>;

const number = (value: number) => tensor("float32", [], Float32Array.of(value));
const int = (value: number) => tensor("int64", [], BigInt64Array.of(BigInt(value)));

const model = (inputs: Signature, nodes: readonly Node[] = [], outputs: readonly string[] = []) =>
  tinyModel({
    inputs,
    outputs,
    nodes,
    weights: {
      table: gaussian([40, 4], 1),
      positions: gaussian([16, 4], 2),
      mean: tensor("float32", [3, 1, 1], Float32Array.of(123.7, 116.3, 103.5)),
      range: number(1 / 255),
      half: number(0.5),
      rate: int(22050),
    },
  });
const rolesOf = async (...args: Parameters<typeof model>) =>
  Object.fromEntries((await inputsOf(model(...args))).map(({ name, role }) => [name, role]));
const image: [DataType, Dim[]] = ["float32", ["N", 3, "h", "w"]];

describe("inputsOf", () => {
  it("takes inputs for what their names say", async () => {
    const ids: [DataType, Dim[]] = ["int64", ["batch", "length"]];
    expect(
      await rolesOf({
        attention_mask: ids,
        pixel_mask: ["bool", ["batch", 64, 64]],
        token_type_ids: ids,
        position_ids: ids,
        input_lengths: ["int64", ["batch"]],
        timestep: ["int64", ["batch"]],
        use_cache_branch: ["bool", [1]],
        input_values: ["float32", ["batch", "samples"]],
        input_features: ["float32", ["batch", 80, 3000]],
      }),
    ).toEqual({
      attention_mask: { kind: "mask" },
      pixel_mask: { kind: "mask" },
      token_type_ids: { kind: "types" },
      position_ids: { kind: "positions" },
      input_lengths: { kind: "lengths" },
      timestep: { kind: "timestep" },
      use_cache_branch: { kind: "flag" },
      input_values: { kind: "audio" },
      input_features: { kind: "gaussian" },
    });
  });

  it("takes images from their dims or names, and their range from what the graph takes away or multiplies", async () => {
    const peaks = async (...nodes: Node[]) => {
      const { x } = await rolesOf({ x: image }, nodes);
      return x.kind === "image" && x.peak;
    };
    expect(await peaks(makeNode("Sub", ["x", "mean"], ["y"]))).toBe(255);
    expect(await peaks(makeNode("Sub", ["x", "half"], ["s"]), makeNode("Mul", ["s", "range"], ["y"]))).toBe(255);
    expect(await peaks(makeNode("Sub", ["x", "half"], ["s"]), makeNode("Relu", ["s"], ["y"]))).toBe(1);
    expect(
      await rolesOf({
        a: ["uint8", [1, 64, 64, 3]],
        b: ["float32", [1, 64, 64, 1]],
        pixel_values: ["float32", ["batch", "num_channels", "height", "width"]],
        images: ["float32", ["n", "c", "h", "w"]],
        c: ["float32", [1, 64, 64, 64]],
      }),
    ).toEqual({
      a: { kind: "image", channelsLast: true, peak: 255 },
      b: { kind: "image", channelsLast: true, peak: 1 },
      pixel_values: { kind: "image", channelsLast: false, peak: 1 },
      images: { kind: "image", channelsLast: false, peak: 1 },
      c: { kind: "gaussian" },
    });
  });

  it("bounds ids by the smallest table they reach", async () => {
    const nodes = [
      makeNode("Gather", ["table", "ids"], ["e"]),
      makeNode("Unsqueeze", ["ids", "axes"], ["u"]),
      makeNode("Cast", ["u"], ["c"], { to: attrs.int(7) }),
      makeNode("Gather", ["positions", "c"], ["p"]),
    ];
    expect((await rolesOf({ ids: ["int32", ["n"]], other: ["int64", []] }, nodes)).ids).toEqual({
      kind: "ids",
      rows: 16,
    });
  });

  it("finds the tables of compressed models behind what decodes them", async () => {
    const compressed = tinyModel({
      inputs: { a: ["int64", ["n"]], b: ["int64", ["n"]] },
      outputs: ["x", "y"],
      weights: {
        codes: tensor("int8", [30, 4], new Int8Array(120)),
        scale: gaussian([30, 1], 1),
        packed: tensor("uint8", [50, 8], new Uint8Array(400)),
        scales: gaussian([50, 1], 2),
      },
      nodes: [
        makeNode("Cast", ["codes"], ["c"], { to: attrs.int(1) }),
        makeNode("Mul", ["c", "scale"], ["table"]),
        makeNode("Gather", ["table", "a"], ["x"]),
        makeNode("GatherBlockQuantized", ["packed", "b", "scales"], ["y"], {}, { domain: "com.microsoft" }),
      ],
    });
    expect((await inputsOf(compressed)).map(({ role }) => role)).toEqual([
      { kind: "ids", rows: 30 },
      { kind: "ids", rows: 50 },
    ]);
  });

  it("takes states and caches with the output that feeds them, and sounds beside a sampling rate", async () => {
    const state: [DataType, Dim[]] = ["float32", [2, "batch", 64]];
    const cache: [DataType, Dim[]] = ["float32", ["batch", 3, "past", 64]];
    const roles = await rolesOf(
      {
        input: ["float32", ["batch", "n"]],
        sr: ["int64", []],
        h: state,
        c: state,
        "past_key_values.0.key": cache,
        "past_key_values.0.value": cache,
        encoder_hidden_states: ["float32", ["batch", "n", 8]],
      },
      [
        makeNode("Equal", ["sr", "rate"], ["e"]),
        ...["hn", "cn", "present.0.key", "present.0.value", "last_hidden_state"].map((name) =>
          makeNode("Identity", ["h"], [name]),
        ),
      ],
      ["hn", "cn", "present.0.key", "present.0.value", "last_hidden_state"],
    );
    expect(roles).toEqual({
      input: { kind: "audio" },
      sr: { kind: "choice", values: [22050] },
      h: { kind: "state", output: "hn" },
      c: { kind: "state", output: "cn" },
      "past_key_values.0.key": { kind: "state", output: "present.0.key" },
      "past_key_values.0.value": { kind: "state", output: "present.0.value" },
      encoder_hidden_states: { kind: "gaussian" },
    });
  });

  it("reads what it needs from a Blob, where no weight can be read without waiting", async () => {
    const given = model({ x: image, sr: ["int64", []] }, [
      makeNode("Sub", ["x", "mean"], ["y"]),
      makeNode("Equal", ["sr", "rate"], ["e"]),
    ]);
    const opened = await openModel(new Blob([await writeOnnx(given)]));
    expect((await inputsOf(opened)).map(({ role }) => role)).toEqual([
      { kind: "image", channelsLast: false, peak: 255 },
      { kind: "choice", values: [22050] },
    ]);
  });

  it.each([
    ["text", { words: ["string", [2]] }],
    ["packed numbers", { codes: ["int4", [2]] }],
  ] as [string, Signature][])("asks for data for %s", async (_, inputs) => {
    await expect(inputsOf(model(inputs))).rejects.toMatchObject({ code: "BAD_DATA" });
  });
});

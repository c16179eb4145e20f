import { attrs, type Layer, layers, runPass, storedBytes, type Tensor } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { nodeOf } from "../test/runtimes.ts";
import { rtn } from "./method/rtn.ts";
import type { WeightBits } from "./method/weight-plan.ts";
import { schemesFor } from "./schemes.ts";
import { supportOf, type WeightForm } from "./support.ts";

const models = {
  linear: tinyModel({
    inputs: { x: ["float32", [3, 100]] },
    outputs: ["y"],
    weights: { w: gaussian([100, 96], 1) },
    nodes: [nodeOf("MatMul", ["x", "w"], "y")],
    opset: 21,
  }),
  conv: tinyModel({
    inputs: { x: ["float32", [1, 64, 4, 4]] },
    outputs: ["y"],
    weights: { w: gaussian([80, 64, 1, 1], 1) },
    nodes: [nodeOf("Conv", ["x", "w"], "y")],
    opset: 21,
  }),
  depthwise: tinyModel({
    inputs: { x: ["float32", [1, 64, 4, 4]] },
    outputs: ["y"],
    weights: { w: gaussian([64, 1, 5, 5], 1) },
    nodes: [nodeOf("Conv", ["x", "w"], "y", { group: attrs.int(64) })],
    opset: 21,
  }),
  embedding: tinyModel({
    inputs: { ids: ["int64", [4]] },
    outputs: ["y"],
    weights: { w: gaussian([300, 96], 1) },
    nodes: [nodeOf("Gather", ["w", "ids"], "y")],
    opset: 21,
  }),
};

const layerOf = (name: keyof typeof models): Layer => layers(models[name])[0]!;
const namesOf = (name: keyof typeof models) => schemesFor(layerOf(name)).map((scheme) => scheme.name);

describe("schemesFor", () => {
  it("lists what fits a layer, smallest first", () => {
    expect(namesOf("linear")).toEqual([
      "decode int2, block 20",
      "MatMulNBits int2, block 32",
      "decode int4, block 20",
      "MatMulNBits int4, block 32",
      "decode int6, block 20",
      "decode int8",
      "DequantizeLinear int8",
      "dynamicInt8",
      "staticInt8",
      "MatMulNBits int8",
      "float16",
    ]);
    expect(namesOf("depthwise")).toEqual([
      "DequantizeLinear int4",
      "decode int8",
      "DequantizeLinear int8",
      "dynamicInt8",
      "staticInt8",
      "float16",
    ]);
    expect(namesOf("embedding")).toContain("GatherBlockQuantized int4, block 32");
    const sizes = schemesFor(layerOf("conv")).map(({ bytes }) => bytes);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  });
  it("counts the bytes that rtn stores, exactly, beside the table that unpacks and shapes", async () => {
    for (const name of Object.keys(models) as (keyof typeof models)[])
      for (const { form, bits, bytes, name: scheme } of schemesFor(layerOf(name))) {
        if (form === "dynamicInt8" || form === "staticInt8") continue;
        const asked = { form: form as WeightForm, embeddings: form as WeightForm, float16Below: 0 };
        const options = bits === 16 ? asked : { ...asked, bits: bits as WeightBits };
        const model = await runPass(models[name], rtn({ ...options, sensitive: () => false }));
        const stored = [...model.graph.weights]
          .filter(([weight, t]) => !weight.startsWith("unpack") && (t as Tensor).type !== "int64")
          .reduce((sum, [, t]) => sum + storedBytes(t), 0);
        expect([name, scheme, stored]).toEqual([name, scheme, bytes]);
      }
  });
  it("tells what each runtime makes of every scheme it lists", () => {
    for (const name of Object.keys(models) as (keyof typeof models)[])
      for (const { form, bits, node: speed, web } of schemesFor(layerOf(name))) {
        const row = supportOf(form, bits, layerOf(name).kind)!;
        expect([speed, web]).toEqual([row.node, row.web]);
      }
    expect(supportOf("MatMulNBits", 4, "conv")).toBeUndefined();
  });
});

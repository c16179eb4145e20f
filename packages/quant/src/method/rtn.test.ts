import { attrs, runPass, storedBytes, tensor, writeOnnx } from "@espalier/core";
import { gaussian, testPass, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, node, nodeOf, outputOf, relativeL2, runtimes } from "../../test/runtimes.ts";
import { BOUNDS, conv, feedsOf, linear } from "../../test/weight-models.ts";
import { type RtnOptions, rtn } from "./rtn.ts";

describe("rtn", () => {
  testPass(it, () => rtn({ float16Below: 0 }), { ort: node });
  testPass(it, () => rtn({ bits: 4, symmetric: false, rest: "float16" }), { ort: node });

  it("reports bytes before and after, and why a layer was left alone", async () => {
    const model = conv([48, 64, 1, 1], 1);
    const { model: packed, entries } = await applied(model, rtn({ float16Below: 0 }));
    const stored = [...packed.graph.weights.values()].reduce((sum, t) => sum + storedBytes(t), 0);
    expect(entries).toHaveLength(1);
    expect(entries[0]!.bytesBefore).toBe(48 * 64 * 4);
    expect(Math.abs(entries[0]!.bytesAfter! - stored)).toBeLessThan(200);
    const skipped = await applied(model, rtn({ skip: "Conv_*" }));
    expect(skipped.entries[0]).toMatchObject({ action: "skipped", reason: "named by skip" });
  });
  it("refuses a block that does not divide, for all layers at once, before any work", async () => {
    const options: RtnOptions = { form: "DequantizeLinear", blockSize: 48 };
    await expect(runPass(linear(64, 48), rtn(options))).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("64 input columns, which blockSize 48 does not divide"),
    });
  });
  it("leaves a layer alone whose weights are not all finite, and says so", async () => {
    const model = linear(64, 48);
    (model.graph.weights.get("w")!.data as Float32Array)[5] = Number.POSITIVE_INFINITY;
    const { model: same, entries } = await applied(model, rtn({ float16Below: 0 }));
    expect(entries).toMatchObject([{ action: "skipped", reason: "its weights are not all finite" }]);
    expect(same.graph.weights.get("w")).toBe(model.graph.weights.get("w"));
  });
  it("stores a weight that two nodes use once", async () => {
    const shared = tinyModel({
      inputs: { x: ["float32", [3, 64]] },
      outputs: ["y"],
      weights: { w: gaussian([64, 64], 1) },
      nodes: [nodeOf("MatMul", ["x", "w"], "h"), nodeOf("MatMul", ["h", "w"], "y")],
    });
    const packed = await runPass(shared, rtn({ bits: 4, float16Below: 0 }));
    expect([...packed.graph.weights.keys()]).toEqual(["w_q", "w_sh"]);
    for (const [, ort] of runtimes) expect((await outputOf(ort, packed, feedsOf(shared))).dims).toEqual([3, 64]);
  });
  it("stores an embedding table that is also transposed for the last product once, decoded for both", async () => {
    const tied = tinyModel({
      inputs: { ids: ["int64", [4]] },
      outputs: ["y"],
      weights: { w: gaussian([40, 64], 1) },
      nodes: [
        nodeOf("Gather", ["w", "ids"], "h"),
        nodeOf("Transpose", ["w"], "t", { perm: attrs.ints([1, 0]) }),
        nodeOf("MatMul", ["h", "t"], "y"),
      ],
    });
    const { model: packed, entries } = await applied(tied, rtn({ float16Below: 0 }));
    expect(entries[0]!.form).toBe("decode 8 bits");
    expect([...packed.graph.weights.values()].filter(({ type }) => type === "float32")).toHaveLength(0);
    const wanted = await outputOf(node, tied, feedsOf(tied));
    for (const [, ort] of runtimes)
      expect(relativeL2((await outputOf(ort, packed, feedsOf(tied))).data, wanted.data)).toBeLessThan(0.02);
  });
  it("reaches weights inside subgraphs, in every form, and keeps those of one name apart", async () => {
    const branch = (name: string, seed: number) => ({
      name,
      nodes: [nodeOf("MatMul", ["x", "w"], name)],
      inputs: [],
      outputs: [{ name, type: { kind: "tensor" as const, type: "float32" as const } }],
      values: [],
      weights: new Map([["w", gaussian([64, 64], seed)]]),
      sparseWeights: [],
    });
    const model = tinyModel({
      inputs: { x: ["float32", [3, 64]], yes: ["bool", []] },
      outputs: ["y"],
      nodes: [
        nodeOf("If", ["yes"], "y", {
          then_branch: attrs.graphAttr(branch("a", 1)),
          else_branch: attrs.graphAttr(branch("b", 2)),
        }),
      ],
    });
    for (const options of [{}, { bits: 4 }, { bits: 4, target: "web" }] as const) {
      const { model: packed, entries } = await applied(model, rtn({ ...options, float16Below: 0 }));
      expect(entries.map(({ action }) => action)).toEqual(["changed", "changed"]);
      expect((await writeOnnx(packed)).length).toBeLessThan((await writeOnnx(model)).length / 2);
      for (const yes of [0, 1]) {
        const feeds = { ...feedsOf(model), yes: tensor("bool", [], Uint8Array.of(yes)) };
        const wanted = await outputOf(node, model, feeds);
        for (const [, ort] of runtimes) {
          const error = relativeL2((await outputOf(ort, packed, feeds)).data, wanted.data);
          expect(error).toBeLessThan(BOUNDS["bits" in options ? 4 : 8]);
        }
      }
    }
  });
});

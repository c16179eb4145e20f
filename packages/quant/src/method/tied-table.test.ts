import { attrs, type Model, runPass, storedBytes, tensor } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, node, nodeOf, operatorsOf, outputOf, relativeL2, runtimes } from "../../test/runtimes.ts";
import { feedsOf } from "../../test/weight-models.ts";
import { dequantizeRows } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { type RtnOptions, rtn } from "./rtn.ts";

const tied = (more: { readonly read?: boolean; readonly width?: number } = {}): Model => {
  const width = more.width ?? 64;
  return tinyModel({
    inputs: { ids: ["int64", [4]] },
    outputs: more.read ? ["y", "t"] : ["y"],
    weights: { w: gaussian([40, width], 1) },
    nodes: [
      nodeOf("Gather", ["w", "ids"], "h"),
      nodeOf("Transpose", ["w"], "t", { perm: attrs.ints([1, 0]) }),
      nodeOf("MatMul", ["h", "t"], "y"),
    ],
  });
};

const options: RtnOptions = { embeddings: "tiedTable", float16Below: 0, sensitive: () => false };

describe('embeddings: "tiedTable", in onnxruntime-node and onnxruntime-web', () => {
  it.each([
    ["8 bits", { bits: 8 }],
    ["8 bits with zero points", { bits: 8, symmetric: false }],
    ["4 bits", { bits: 4, blockSize: 16 }],
    ["4 bits with zero points", { bits: 4, blockSize: 16, symmetric: false }],
    ["6 bits in 8", { bits: 6 }],
  ] as const)("%s: the codes stand once, and outputs are those of the rounded table, to 1e-6", async (_, own) => {
    const model = tied();
    const { model: stored, entries } = await applied(model, rtn({ ...options, ...own }));
    expect(entries).toHaveLength(1);
    expect(entries[0]!.form).toMatch(/^tiedTable/);
    expect(operatorsOf(stored).sort()).toEqual(
      expect.arrayContaining(["GatherBlockQuantized", "MatMulNBits", "Reshape"]),
    );
    expect(operatorsOf(stored)).not.toContain("Transpose");
    const codes = [...stored.graph.weights].filter(([name]) => name.startsWith("w_q"));
    expect(codes.map(([, t]) => storedBytes(t))).toEqual([own.bits === 4 ? 40 * 32 : 40 * 64]);
    const w = model.graph.weights.get("w")!.data as Float32Array;
    const rounded = dequantizeRows(quantizeRows(w, 40, 64, { blockSize: 32, scaleType: "float16", ...own }));
    const weights = new Map([["w", tensor("float32", [40, 64], rounded)]]);
    const wanted = await outputOf(node, { ...model, graph: { ...model.graph, weights } }, feedsOf(model));
    for (const [, ort] of runtimes) {
      const { data, dims } = await outputOf(ort, stored, feedsOf(model));
      expect(dims).toEqual(wanted.dims);
      expect(relativeL2(data, wanted.data)).toBeLessThan(1e-6);
    }
  });
  it("refuses tables with other readers, blocks that do not divide them, and float zero points", async () => {
    const refused = (model: Model, more: RtnOptions = {}) =>
      expect(runPass(model, rtn({ ...options, ...more }))).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await refused(tied({ read: true }));
    await refused(tied({ width: 48 }));
    await refused(tied(), { bits: 4, symmetric: false, zeroPoint: "float" });
  });
});

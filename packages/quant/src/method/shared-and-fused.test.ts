import { attrs, type Feeds, type Model, type Pass, tensor } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, node, nodeOf, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";
import { float16 } from "./float16.ts";
import { rtn } from "./rtn.ts";

const x: Feeds = { x: gaussian([1, 5, 32], 3) };
const microsoft = { inputs: { x: ["float32", [1, 5, 32]] }, outputs: ["y"], domains: { "com.microsoft": 1 } } as const;
const own = (opType: string, inputs: readonly string[], attributes = {}) => ({
  ...nodeOf(opType, inputs, "y", attributes),
  domain: "com.microsoft",
});

const product = tinyModel({
  inputs: { x: ["float32", [1, 5, 32]] },
  outputs: ["y"],
  weights: { w: gaussian([32, 64], 1) },
  nodes: [nodeOf("MatMul", ["x", "w"], "y")],
});

const cases: readonly (readonly [string, () => Promise<Model>, Feeds])[] = [
  [
    "a table of embeddings that is turned for the last product",
    async () =>
      tinyModel({
        inputs: { x: ["int64", [3]] },
        outputs: ["y"],
        weights: { w: gaussian([64, 32], 1) },
        nodes: [
          nodeOf("Gather", ["w", "x"], "e"),
          nodeOf("Transpose", ["w"], "t", { perm: attrs.ints([1, 0]) }),
          nodeOf("MatMul", ["e", "t"], "y"),
        ],
      }),
    { x: tensor("int64", [3], BigInt64Array.of(1n, 40n, 7n)) },
  ],
  [
    "Attention",
    async () =>
      tinyModel({
        ...microsoft,
        weights: { w: gaussian([32, 96], 1, 0.2), b: gaussian([96], 2) },
        nodes: [own("Attention", ["x", "w", "b"], { num_heads: attrs.int(2) })],
      }),
    x,
  ],
  [
    "FusedMatMul",
    async () =>
      tinyModel({
        ...microsoft,
        weights: { w: gaussian([64, 32], 1, 0.2) },
        nodes: [own("FusedMatMul", ["x", "w"], { transB: attrs.int(1), alpha: attrs.float(0.5) })],
      }),
    x,
  ],
  ["a weight that is stored as float16 already", async () => (await applied(product, float16())).model, x],
];

describe.each(cases)("%s", (_, make, feeds) => {
  it.each([
    ["rtn, 8 bits", rtn(), 0.012],
    ["rtn, 4 bits", rtn({ bits: 4 }), 0.13],
    ["dynamicInt8", dynamicInt8(), 0.02],
  ] satisfies (readonly [string, Pass, number])[])(
    "%s: stored once, and within the grid's error",
    async (_, pass, bound) => {
      const model = await make();
      const { model: packed, entries } = await applied(model, pass);
      expect(entries.filter(({ action }) => action === "changed").length).toBe(1);
      expect(
        [...packed.graph.weights.keys()].filter((name) => name.endsWith("_q") && !name.startsWith("unpack")),
      ).toHaveLength(1);
      const [found, wanted] = [await outputOf(node, packed, feeds), await outputOf(node, model, feeds)];
      expect(relativeL2(found.data, wanted.data)).toBeLessThan(bound);
    },
  );
});

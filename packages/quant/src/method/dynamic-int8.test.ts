import { attrs, type Model, tensor } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, nodeOf, outputOf, relativeL2, runtimes } from "../../test/runtimes.ts";
import { type DynamicInt8Options, dynamicInt8 } from "./dynamic-int8.ts";

const [ROWS, K, N] = [5, 48, 32];
const x = gaussian([ROWS, K], 9);

const linear = (opset = 13): Model =>
  tinyModel({
    inputs: { x: ["float32", [ROWS, K]] },
    outputs: ["y"],
    weights: { w: gaussian([K, N], 1), v: gaussian([N, K], 2), b: gaussian([N], 3) },
    nodes: [
      nodeOf("MatMul", ["x", "w"], "a"),
      nodeOf("Gemm", ["x", "v", "b"], "c", { transB: attrs.int(1) }),
      nodeOf("Sub", ["a", "c"], "y"),
    ],
    opset,
  });

const apply = (model: Model, options?: DynamicInt8Options) => applied(model, dynamicInt8(options));

const nearestEven = (value: number) => {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
};

/** Values of x after uint8 with one range, as DynamicQuantizeLinear defines it. */
const rounded = (values: Float32Array): Float64Array => {
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const scale = Math.fround((high - low) / 255);
  const zero = nearestEven(-low / scale);
  return Float64Array.from(
    values,
    (value) => (Math.max(0, Math.min(255, nearestEven(value / scale) + zero)) - zero) * scale,
  );
};

describe("dynamicInt8", () => {
  for (const options of [{}, { weightType: "uint8" }, { perChannel: false }, { portable: true }] as const)
    it(`keeps two linear layers within 2 % in both runtimes, ${JSON.stringify(options)}`, async () => {
      const { model } = await apply(linear(), options);
      const operators = model.graph.nodes.map(({ opType }) => opType);
      expect(operators.filter((op) => op === "MatMulInteger")).toHaveLength(2);
      expect(operators.filter((op) => op === "DynamicQuantizeLinear")).toHaveLength(1);
      for (const [, ort] of runtimes) {
        const wanted = await outputOf(ort, linear(), { x });
        const found = await outputOf(ort, model, { x });
        expect(relativeL2(found.data, wanted.data)).toBeLessThan("portable" in options ? 0.02 : 0.015);
      }
    });

  it("computes (xq - xz) xs · Wq ws exactly, up to float32 rounding", async () => {
    const one = tinyModel({
      inputs: { x: ["float32", [ROWS, K]] },
      outputs: ["y"],
      weights: { w: gaussian([K, N], 1) },
      nodes: [nodeOf("MatMul", ["x", "w"], "y")],
    });
    const { model } = await apply(one, { portable: true });
    const codes = model.graph.weights.get("w_q")!;
    const scale = model.graph.weights.get("w_s")!;
    if (!("data" in codes) || !("data" in scale)) throw new Error("weights are in memory");
    const [q, s] = [codes.data as Int8Array, scale.data as Float32Array];
    const input = rounded(x.data as Float32Array);
    const wanted = Float32Array.from({ length: ROWS * N }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += input[Math.floor(at / N) * K + k]! * q[k * N + (at % N)]!;
      return sum * s[at % N]!;
    });
    for (const [, ort] of runtimes)
      expect(relativeL2((await outputOf(ort, model, { x })).data, wanted)).toBeLessThan(1e-6);
  });

  it("raises the opset of an older model and leaves skipped layers float", async () => {
    const { model, entries } = await apply(linear(9), { skip: "Gemm" });
    expect(model.opsets.get("")).toBe(11);
    expect(model.graph.nodes.map(({ opType }) => opType)).toContain("Gemm");
    expect(entries).toContainEqual(expect.objectContaining({ action: "skipped", reason: "named by skip" }));
  });

  it("stores embeddings by row, and says why a layer is only stored", async () => {
    const left = tinyModel({
      inputs: { ids: ["int64", [4]], x: ["float32", [64, 3]] },
      outputs: ["y"],
      weights: { t: gaussian([50, 64], 1), w: gaussian([8, 64], 2) },
      nodes: [
        nodeOf("Gather", ["t", "ids"], "e"),
        nodeOf("MatMul", ["w", "x"], "a"),
        nodeOf("MatMul", ["e", "x"], "c"),
        nodeOf("Concat", ["a", "c"], "y", { axis: attrs.int(0) }),
      ],
    });
    const { model, entries } = await apply(left);
    expect(model.graph.nodes.map(({ opType }) => opType)).toContain("GatherBlockQuantized");
    expect(entries).toContainEqual(
      expect.objectContaining({ action: "note", reason: "only stored in 8 bits: its weight stands on the left" }),
    );
    const feeds = { ids: tensor("int64", [4], BigInt64Array.from([0n, 5n, 1n, 49n])), x: gaussian([64, 3], 7) };
    for (const [, ort] of runtimes) {
      const [found, wanted] = [await outputOf(ort, model, feeds), await outputOf(ort, left, feeds)];
      expect(relativeL2(found.data, wanted.data)).toBeLessThan(0.012);
    }
  });
});

import { describe, expect, it } from "vitest";
import { realFeeds } from "../../test/real-feeds.ts";
import { realModels } from "../../test/real-models.ts";
import { expectSameOutputs, tinyModel } from "../../test/run-model.ts";
import { int, makeNode } from "../attrs.ts";
import { layers } from "../layers/find-layers.ts";
import { openModel } from "../onnx/open.ts";
import { readOnnx } from "../onnx/read.ts";
import { onnxBytes, writeOnnx } from "../onnx/write.ts";
import { tensor } from "../tensor.ts";
import { gaussian } from "../testing/index.ts";
import { fold } from "./fold.ts";

const int64s = (...values: number[]) => tensor("int64", [values.length], BigInt64Array.from(values, BigInt));
const x = gaussian([2, 128], 1);
const bounds = { zero: int64s(0), half: int64s(96), last: int64s(-96), end: int64s(2 ** 40), axis: int64s(0) };

/** Halves of a weight of 24,576 values change places: what exporters do to the gates of an LSTM. */
const swapped = (readsWhole: boolean) =>
  tinyModel({
    opset: 13,
    inputs: { x },
    outputs: { y: "float32", ...(readsWhole && { z: "float32" as const }) },
    weights: { w: gaussian([192, 128], 2), ...bounds },
    nodes: [
      makeNode("Slice", ["w", "zero", "half", "axis"], ["first"]),
      makeNode("Slice", ["w", "last", "end", "axis"], ["second"]),
      makeNode("Concat", ["second", "first"], ["v"], { axis: int(-2) }),
      makeNode("Gemm", ["x", "v"], ["y"], { transB: int(1) }),
      ...(readsWhole ? [makeNode("Gemm", ["x", "w"], ["z"], { transB: int(1) })] : []),
    ],
  });

describe("fold moves rows of large weights", () => {
  it("a weight that is cut and joined becomes one weight, with the same outputs and no more bytes", async () => {
    const model = swapped(false);
    const folded = await fold(model);
    expect(folded.graph.nodes.map(({ opType }) => opType)).toEqual(["Gemm"]);
    await expectSameOutputs(model, readOnnx(await writeOnnx(folded)), { x }, 0);
    expect(onnxBytes(folded)).toBeLessThan(onnxBytes(model));
  });

  it("a weight that is also read whole is not stored twice", async () => {
    const model = swapped(true);
    const folded = await fold(model);
    expect(folded.graph.nodes.map(({ opType }) => opType)).toEqual(["Slice", "Slice", "Concat", "Gemm", "Gemm"]);
    await expectSameOutputs(model, folded, { x }, 0);
  });

  it("finds the LSTM of Silero v5 in both branches, with the same outputs within 1e-5", async () => {
    const model = await openModel(realModels.voiceActivity);
    const folded = await fold(model);
    const kinds = layers(folded).map(({ kind, weight }) => `${kind} ${weight.dims.join("x")}`);
    // both of each sampling rate, used by two branches of that
    expect(kinds.filter((kind) => kind === "recurrent 512x128")).toHaveLength(4);
    expect(onnxBytes(folded)).toBeLessThan(onnxBytes(model));
    await expectSameOutputs(model, readOnnx(await writeOnnx(folded)), realFeeds.voiceActivity, 1e-5);
  });
});

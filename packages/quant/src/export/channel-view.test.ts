import { attrs, type Layer, layers, makeNode, type Node } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { channelViewOf, gatherChannels, scatterChannels } from "./channel-view.ts";

/** The layer of a model with a weight "w" of these dims. */
const layerOf = (dims: readonly number[], ...nodes: readonly Node[]): Layer => {
  const model = tinyModel({ inputs: { x: ["float32", []] }, outputs: ["y"], weights: { w: gaussian(dims, 1) }, nodes });
  return layers(model)[0]!;
};

const matMul = (weight: string) => makeNode("MatMul", ["x", weight], ["y"]);
const transpose = (perm: readonly number[]) => makeNode("Transpose", ["w"], ["t"], { perm: attrs.ints(perm) });
const convTranspose = (group: number) => makeNode("ConvTranspose", ["x", "w"], ["y"], { group: attrs.int(group) });

describe("channelViewOf", () => {
  it.each([
    ["MatMul", layerOf([6, 4], matMul("w")), [6, 4, 1], [4]],
    ["a stack of matrices", layerOf([3, 6, 4], matMul("w")), [18, 4, 1], [4]],
    ["W · x", layerOf([4, 6], makeNode("MatMul", ["w", "x"], ["y"])), [1, 4, 6], [4, 1]],
    [
      "Gemm with transB",
      layerOf([4, 6], makeNode("Gemm", ["x", "w"], ["y"], { transB: attrs.int(1) })),
      [1, 4, 6],
      [4, 1],
    ],
    ["Conv", layerOf([4, 3, 2, 2], makeNode("Conv", ["x", "w"], ["y"])), [1, 4, 12], [4, 1, 1, 1]],
    ["ConvTranspose", layerOf([3, 4, 2, 2], convTranspose(1)), [3, 4, 4], [4, 1, 1]],
    ["ConvTranspose, whose groups share scales", layerOf([6, 4, 2, 2], convTranspose(3)), [6, 4, 4], [4, 1, 1]],
    ["depthwise ConvTranspose", layerOf([6, 1, 2, 2], convTranspose(6)), [1, 6, 4], [6, 1, 1, 1]],
    [
      "ConvTranspose in groups through Transpose",
      layerOf([4, 2, 6], transpose([2, 0, 1]), makeNode("ConvTranspose", ["x", "t"], ["y"], { group: attrs.int(3) })),
      [1, 4, 12],
      [4, 1, 1],
    ],
    ["LSTM", layerOf([2, 8, 3], makeNode("LSTM", ["x", "w"], ["y"])), [1, 16, 3], [2, 8, 1]],
    ["rows of a table", layerOf([9, 4], makeNode("Gather", ["w", "x"], ["y"])), [1, 9, 4], [9, 1]],
    [
      "columns of a table",
      layerOf([9, 4], makeNode("Gather", ["w", "x"], ["y"], { axis: attrs.int(-1) })),
      [9, 4, 1],
      [4],
    ],
    ["a square weight through Transpose", layerOf([4, 4], transpose([1, 0]), matMul("t")), [1, 4, 4], [4, 1]],
    ["a weight through Identity", layerOf([6, 4], makeNode("Identity", ["w"], ["t"]), matMul("t")), [6, 4, 1], [4]],
  ] as const)(
    "%s: outer, channels, inner, and a scale that broadcasts",
    (_, layer, [outer, channels, inner], scaleDims) => {
      expect(channelViewOf(layer)).toEqual({ outer, channels, inner, scaleDims });
    },
  );
  it("scatters what it gathers, in every view", () => {
    for (const [outer, channels, inner] of [
      [1, 5, 7],
      [70, 33, 1],
      [3, 5, 4],
    ] as const) {
      const view = { outer, channels, inner, scaleDims: [] };
      const values = Float32Array.from({ length: outer * channels * inner }, (_, i) => i % 251);
      const rows = gatherChannels(values, view);
      for (let o = 0; o < outer; o++)
        for (let c = 0; c < channels; c++)
          expect(rows[(c * outer + o) * inner]).toBe(values[(o * channels + c) * inner]);
      expect([...scatterChannels(Uint8Array.from(rows), view)]).toEqual([...values]);
    }
  });
});

import { attrs, type Layer, makeNode, type Node } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { floats } from "../testing/tiny.ts";
import { channelViewOf, gatherChannels, scatterChannels } from "./channel-view.ts";

interface Given {
  readonly kind: Layer["kind"];
  readonly node: Node;
  readonly index?: number;
  readonly file: readonly number[];
  readonly seen: readonly number[];
  readonly groups?: number;
}

const layerOf = ({ kind, node, index = 1, file, seen, groups = 1 }: Given): Layer => {
  const use = { node, index, path: [], input: "x", output: "y" };
  const tensor = floats(file, 1);
  const weight = { name: "w", tensor, dims: seen, direct: false, read: async () => tensor.data, write: () => tensor };
  return { name: "layer", kind, weight, groups, uses: [use], ...use } as unknown as Layer;
};

const matMul = (weight: string) => makeNode("MatMul", ["x", weight], ["y"]);

describe("channelViewOf", () => {
  it.each([
    ["MatMul", { kind: "linear", node: matMul("w"), file: [6, 4], seen: [4, 6] }, [6, 4, 1], [4]],
    [
      "W · x",
      { kind: "linear", node: makeNode("MatMul", ["w", "x"], ["y"]), index: 0, file: [4, 6], seen: [4, 6] },
      [1, 4, 6],
      [4, 1],
    ],
    [
      "Gemm with transB",
      {
        kind: "linear",
        node: makeNode("Gemm", ["x", "w"], ["y"], { transB: attrs.int(1) }),
        file: [4, 6],
        seen: [4, 6],
      },
      [1, 4, 6],
      [4, 1],
    ],
    [
      "Conv",
      { kind: "conv", node: makeNode("Conv", ["x", "w"], ["y"]), file: [4, 3, 2, 2], seen: [4, 3, 2, 2] },
      [1, 4, 12],
      [4, 1, 1, 1],
    ],
    [
      "ConvTranspose",
      { kind: "conv", node: makeNode("ConvTranspose", ["x", "w"], ["y"]), file: [3, 4, 2, 2], seen: [4, 3, 2, 2] },
      [3, 4, 4],
      [4, 1, 1],
    ],
    [
      "LSTM",
      { kind: "recurrent", node: makeNode("LSTM", ["x", "w"], ["y"]), file: [2, 8, 3], seen: [16, 3] },
      [1, 16, 3],
      [2, 8, 1],
    ],
    [
      "a weight through Transpose",
      { kind: "linear", node: matMul("t"), file: [4, 6], seen: [4, 6] },
      [1, 4, 6],
      [4, 1],
    ],
    ["a weight through Identity", { kind: "linear", node: matMul("t"), file: [6, 4], seen: [4, 6] }, [6, 4, 1], [4]],
  ] as const)(
    "%s: outer, channels, inner, and a scale that broadcasts",
    (_, given, [outer, channels, inner], scaleDims) => {
      expect(channelViewOf(layerOf(given))).toEqual({ outer, channels, inner, scaleDims });
    },
  );
  it("says nothing of a square weight that comes through other operators", () => {
    expect(channelViewOf(layerOf({ kind: "linear", node: matMul("t"), file: [4, 4], seen: [4, 4] }))).toBeUndefined();
  });
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

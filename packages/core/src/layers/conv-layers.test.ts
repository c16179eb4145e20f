import { describe, it } from "vitest";
import { expectNaive, expectRoundTrip, type LayerCase, node, oneLayer, waves } from "../../test/layer-cases.ts";
import { conv, convTranspose, type Values } from "../../test/naive-layers.ts";
import { int, ints, makeNode, string } from "../attrs.ts";

const SPACE = [7, 6, 5];
const KERNEL = [3, 2, 2];

const cases: readonly LayerCase[] = [
  ...[1, 2, 3].flatMap((axes) =>
    [1, 2, 6].flatMap((groups) => {
      const kernel = KERNEL.slice(0, axes);
      const group = int(groups);
      const x = waves([1, 6, ...SPACE.slice(0, axes)], 3);
      const dims = [12, 6 / groups, ...kernel];
      const naive = (of: typeof conv) => (input: Values, w: Values) => of(input, w, groups);
      return (["Conv", "ConvTranspose"] as const).map((op) =>
        oneLayer(
          `${op}, axes ${axes}, groups ${groups}`,
          node(op, ["x", "w"], { group }),
          x,
          waves(op === "Conv" ? dims : [6, 12 / groups, ...kernel]),
          dims,
          naive(op === "Conv" ? conv : convTranspose),
        ),
      );
    }),
  ),
  oneLayer(
    "ConvTranspose in groups, its weight through two Transposes",
    [
      makeNode("Transpose", ["w"], ["t"], { perm: ints([1, 2, 0]) }),
      makeNode("Transpose", ["t"], ["u"], { perm: ints([0, 2, 1]) }),
      node("ConvTranspose", ["x", "u"], { group: int(2) }),
    ],
    waves([1, 6, 7], 3),
    waves([4, 6, 3]),
    [8, 3, 3],
    (x, w) => convTranspose(x, w, 2),
  ),
  oneLayer(
    "ConvTranspose in groups, its weight turned round",
    [
      makeNode("Transpose", ["w"], ["t"], { perm: ints([2, 0, 1]) }),
      node("ConvTranspose", ["x", "t"], { group: int(3) }),
    ],
    waves([1, 6, 7], 3),
    waves([4, 3, 6]),
    [12, 2, 3],
    (x, w) => convTranspose(x, w, 3),
  ),
  oneLayer(
    "FusedConv",
    node("com.microsoft::FusedConv", ["x", "w"], { activation: string("Relu") }),
    waves([1, 6, 7, 6], 3),
    waves([4, 6, 3, 2]),
    [4, 6, 3, 2],
    (x, w) => {
      const { dims, values } = conv(x, w, 1);
      return { dims, values: Array.from(values, (v) => Math.max(0, v)) };
    },
  ),
];

describe("weights of convolutions as [out, in / groups, ...kernel]", () => {
  it.each(cases)("$name: plain loops give onnxruntime's output within 1e-5", expectNaive);
  it.each(cases)("$name: writing what was read gives the file's tensor", expectRoundTrip);
});

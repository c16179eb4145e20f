import { describe, expect, it } from "vitest";
import { expectSameOutputs, tinyModel } from "../../test/run-model.ts";
import { float, int, ints, makeNode, string } from "../attrs.ts";
import type { Node } from "../model.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { gaussian } from "../testing/tiny-model.ts";
import { fold } from "./fold.ts";

const BOUND = 1e-5;
const x = gaussian([2, 4, 6, 6], 1, 4);
const scalar = (value: number, ...dims: number[]) => tensor("float32", dims, Float32Array.of(value));
const positive = (seed: number, count: number) => {
  const t = gaussian([count], seed);
  return tensor(
    "float32",
    [count],
    t.data.map((value) => Math.abs(value) + 0.2),
  );
};

const clip = (input: string, output: string) => makeNode("Clip", [input, "zero", "six"], [output]);
const add = (a: string, b: string, output: string) => makeNode("Add", [a, b], [output]);
const mul = (a: string, b: string, output: string) => makeNode("Mul", [a, b], [output]);
const conv = (input: string, output: string, attributes = {}, weights: readonly string[] = ["w"]) =>
  makeNode("Conv", [input, ...weights], [output], attributes);
const padded = { pads: ints([1, 1, 1, 1]) };
const six = { three: scalar(3), zero: scalar(0), six: scalar(6) };
const kernel = { w: gaussian([5, 4, 3, 3], 2), b: gaussian([5], 3) };

interface Folding {
  readonly what: string;
  readonly nodes: readonly Node[];
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly after: readonly string[];
  readonly opset?: number;
}

const sigmoids: Folding[] = [
  {
    what: "x clip(x + 3, 0, 6) / 6: the factors make 1 and go",
    nodes: [add("x", "three", "a"), clip("a", "c"), mul("x", "c", "m"), makeNode("Div", ["m", "six"], ["y"])],
    weights: six,
    after: ["HardSigmoid", "Mul"],
  },
  {
    what: "the same with the bounds in attributes and the factor as a product",
    nodes: [
      add("three", "x", "a"),
      makeNode("Clip", ["a"], ["c"], { min: float(0), max: float(6) }),
      mul("c", "x", "m"),
      mul("m", "sixth", "y"),
    ],
    weights: { three: scalar(3, 1), sixth: scalar(1 / 6, 1) },
    after: ["HardSigmoid", "Mul"],
    opset: 9,
  },
  {
    what: "another factor behind the product",
    nodes: [add("x", "three", "a"), clip("a", "c"), mul("x", "c", "m"), mul("m", "three", "y")],
    weights: six,
    after: ["HardSigmoid", "Mul", "Mul"],
  },
  {
    what: "a clipped sum by itself",
    nodes: [add("x", "three", "a"), clip("a", "y")],
    weights: { ...six, three: scalar(-0.7) },
    after: ["HardSigmoid", "Mul"],
  },
  {
    what: "the product of two clipped sums",
    nodes: [add("x", "three", "a"), clip("a", "c"), add("x", "one", "d"), clip("d", "e"), mul("c", "e", "y")],
    weights: { ...six, one: scalar(1) },
    after: ["HardSigmoid", "HardSigmoid", "Mul", "Mul", "Mul"],
  },
  {
    what: "a sum that is read twice: left alone",
    nodes: [add("x", "three", "a"), clip("a", "c"), mul("a", "c", "y")],
    weights: six,
    after: ["Add", "Clip", "Mul"],
  },
  {
    what: "a lower bound that is not 0: left alone",
    nodes: [add("x", "three", "a"), clip("a", "y")],
    weights: { ...six, zero: scalar(-1) },
    after: ["Add", "Clip"],
  },
  {
    what: "a sum that has more axes than its input may have: left alone",
    nodes: [add("x", "three", "a"), clip("a", "y")],
    weights: { ...six, three: scalar(3, 1, 1, 1, 1, 1) },
    after: ["Add", "Clip"],
  },
];

const ahead: Folding[] = [
  {
    what: "a factor and a sum before a Conv without padding",
    nodes: [makeNode("Relu", ["x"], ["r"]), mul("r", "f", "m"), add("m", "s", "a"), conv("a", "y")],
    weights: { ...kernel, f: scalar(0.3), s: scalar(-1.2, 1) },
    after: ["Relu", "Conv"],
  },
  {
    what: "factors and sums of each channel before grouped convolutions, one with a bias",
    nodes: [
      makeNode("Relu", ["x"], ["r"]),
      mul("f", "r", "m"),
      makeNode("Sub", ["m", "s"], ["a"]),
      conv("a", "p", { group: int(2) }),
      conv("a", "q", { group: int(4) }, ["v", "b"]),
      makeNode("Concat", ["p", "q"], ["y"], { axis: int(1) }),
    ],
    weights: {
      w: gaussian([6, 2, 3, 3], 2),
      v: gaussian([8, 1, 3, 3], 4),
      b: gaussian([8], 5),
      f: gaussian([4, 1, 1], 6),
      s: gaussian([1, 4, 1, 1], 7),
    },
    after: ["Relu", "Conv", "Conv", "Concat"],
  },
  {
    what: "a padded Conv takes the factor, and the sum stays before it",
    nodes: [makeNode("Relu", ["x"], ["r"]), mul("r", "f", "m"), add("m", "s", "a"), conv("a", "y", padded, ["w", "b"])],
    weights: { ...kernel, f: scalar(0.3), s: scalar(-1.2) },
    after: ["Relu", "Add", "Conv"],
  },
  {
    what: "BatchNormalization before a Conv without padding",
    nodes: [
      makeNode("Relu", ["x"], ["r"]),
      makeNode("BatchNormalization", ["r", "g", "o", "e", "v"], ["n"]),
      conv("n", "y"),
    ],
    weights: { ...kernel, g: gaussian([4], 4), o: gaussian([4], 5), e: gaussian([4], 6), v: positive(7, 4) },
    after: ["Relu", "Conv"],
  },
  {
    what: "a sum before a padded Conv: left alone",
    nodes: [makeNode("Relu", ["x"], ["r"]), add("r", "s", "a"), conv("a", "y", { auto_pad: string("SAME_UPPER") })],
    weights: { ...kernel, s: scalar(-1.2) },
    after: ["Relu", "Add", "Conv"],
  },
  {
    what: "a factor whose product is read by others too: left alone",
    nodes: [
      makeNode("Relu", ["x"], ["r"]),
      mul("r", "f", "m"),
      conv("m", "c"),
      makeNode("ReduceMean", ["m"], ["n"]),
      add("c", "n", "y"),
    ],
    weights: { ...kernel, f: scalar(0.3) },
    after: ["Relu", "Mul", "Conv", "ReduceMean", "Add"],
  },
  {
    what: "a factor before a Conv whose weight another has too: left alone",
    nodes: [makeNode("Relu", ["x"], ["r"]), mul("r", "f", "m"), conv("m", "c"), conv("x", "d"), add("c", "d", "y")],
    weights: { ...kernel, f: scalar(0.3) },
    after: ["Relu", "Mul", "Conv", "Conv", "Add"],
  },
];

describe.each([
  ["clipped sums", sigmoids],
  ["sums and products before a Conv", ahead],
] as const)("fold gives the same outputs within 1e-5: %s", (_, foldings) => {
  it.each(foldings.map((folding) => [folding.what, folding] as const))("%s", async (__, folding) => {
    const { nodes, weights, after, opset = 11 } = folding;
    const model = tinyModel({ opset, nodes, weights, inputs: { x }, outputs: { y: "float32" }, fixed: true });
    const folded = await fold(model);
    expect(folded.graph.nodes.map(({ opType }) => opType)).toEqual(after);
    await expectSameOutputs(model, folded, { x }, BOUND);
    expect(await fold(folded)).toBe(folded);
  });
});

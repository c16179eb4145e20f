import { makeNode, tensor } from "@espalier/core";
import { gaussian, type TinyCase, tinyModel } from "@espalier/core/testing";

export const WIDTH = 64;
const HIDDEN = 96;

/** A normalization with outlier channels, then a gated feed-forward block, x [n, 64] -> y [n, 64]. */
export const gated = (): TinyCase => {
  const gains = gaussian([WIDTH], 3, 0.2).data.map((value, i) => 1 + value + (i % 21 === 5 ? 12 : 0));
  return {
    model: tinyModel({
      inputs: { x: ["float32", ["n", WIDTH]] },
      outputs: ["y"],
      weights: {
        gains: tensor("float32", [WIDTH], gains),
        shifts: gaussian([WIDTH], 4, 0.1),
        gate: gaussian([WIDTH, HIDDEN], 5, 0.05),
        up: gaussian([WIDTH, HIDDEN], 6, 0.05),
        down: gaussian([HIDDEN, WIDTH], 7, 0.1),
      },
      nodes: [
        makeNode("LayerNormalization", ["x", "gains", "shifts"], ["n"]),
        makeNode("MatMul", ["n", "gate"], ["g"], {}, { name: "gate" }),
        makeNode("MatMul", ["n", "up"], ["u"], {}, { name: "up" }),
        makeNode("Sigmoid", ["g"], ["s"]),
        makeNode("Mul", ["g", "s"], ["a"]),
        makeNode("Mul", ["a", "u"], ["h"]),
        makeNode("MatMul", ["h", "down"], ["y"], {}, { name: "down" }),
      ],
    }),
    samples: [1, 2, 3, 4].map((seed) => ({ x: gaussian([40, WIDTH], seed + 50) })),
  };
};

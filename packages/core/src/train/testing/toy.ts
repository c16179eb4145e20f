import * as attrs from "../../attrs.ts";
import { makeNode } from "../../attrs.ts";
import type { Model } from "../../model.ts";
import { createRng } from "../../numeric/rng.ts";
import type { LabelledBatch, Training } from "../../pass.ts";
import { tensor } from "../../tensor.ts";
import { gaussian, tinyModel } from "../../testing/tiny-model.ts";

export const INPUTS = 4;
export const CLASSES = 3;

/** Two layers, x [N, 4] -> y [N, 3]. */
export const toyNet = (): Model =>
  tinyModel({
    inputs: { x: ["float32", ["N", INPUTS]] },
    outputs: ["y"],
    weights: {
      "one.weight": gaussian([8, INPUTS], 1, 0.5),
      "one.bias": gaussian([8], 2, 0.1),
      "two.weight": gaussian([CLASSES, 8], 3, 0.5),
      "two.bias": gaussian([CLASSES], 4, 0.1),
    },
    nodes: [
      makeNode("Gemm", ["x", "one.weight", "one.bias"], ["h"], { transB: attrs.int(1) }, { name: "one" }),
      makeNode("Relu", ["h"], ["r"], {}, { name: "relu" }),
      makeNode("Gemm", ["r", "two.weight", "two.bias"], ["y"], { transB: attrs.int(1) }, { name: "two" }),
    ],
  });

/** Three clouds of points, `count` batches of `size`, in another order each epoch. */
export const clouds =
  (count = 6, size = 8, seed = 5): Training =>
  ({ rng }) => {
    const draw = createRng(seed);
    const batches: LabelledBatch[] = Array.from({ length: count }, () => {
      const labels = Int32Array.from({ length: size }, () => draw.below(CLASSES));
      const x = Float32Array.from({ length: size * INPUTS }, (_, i) => {
        const label = labels[Math.floor(i / INPUTS)];
        return draw.normal() * 0.5 + (i % INPUTS === label ? 2 : 0);
      });
      return { feeds: { x: tensor("float32", [size, INPUTS], x) }, labels: tensor("int32", [size], labels) };
    });
    for (let i = count - 1; i > 0; i--) {
      const j = rng.below(i + 1);
      [batches[i], batches[j]] = [batches[j], batches[i]];
    }
    return batches;
  };

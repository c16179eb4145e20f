import { sizeOf, type Tensor, tensor } from "../src/tensor.ts";

/** Smooth values in [-1, 1] that differ from place to place. */
const waves = (dims: readonly number[]): Tensor =>
  tensor(
    "float32",
    dims,
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(i * 0.37) * Math.cos(i * 0.0113)),
  );

/** One small input for each of the real models. */
export const realFeeds = {
  recogniser: { x: waves([1, 3, 48, 96]) },
  detector: { x: waves([1, 3, 64, 96]) },
  classifier: { x: waves([1, 3, 48, 192]) },
  voiceActivity: {
    input: waves([1, 576]),
    state: waves([2, 1, 128]),
    sr: tensor("int64", [], BigInt64Array.of(16000n)),
  },
} as const;

import { describe, it } from "vitest";
import { float, floats, int, string, strings } from "../../attrs.ts";
import { tensor } from "../../tensor.ts";
import { checkOperator, int64, type OperatorCase, titleOf } from "../testing/check-operator.ts";

const int32s = (values: readonly number[]) => tensor("int32", [values.length], Int32Array.from(values));

const lstm = (directions = 1): OperatorCase["in"] => [
  [4, 2, 3],
  [directions, 16, 3],
  [directions, 16, 4],
  [directions, 32],
];
const hidden = { hidden_size: int(4) };

const recurrents: OperatorCase[] = [
  { op: "LSTM", in: lstm(), attrs: hidden, outputs: 3 },
  { op: "LSTM", name: "both ways", in: lstm(2), attrs: { ...hidden, direction: string("bidirectional") }, outputs: 3 },
  { op: "LSTM", name: "backwards", in: lstm(), attrs: { ...hidden, direction: string("reverse") }, outputs: 3 },
  {
    op: "LSTM",
    name: "of lengths, from states, with peepholes",
    in: [...lstm(), int32s([4, 2]), [1, 2, 4], [1, 2, 4], [1, 12]],
    attrs: hidden,
    outputs: 3,
  },
  {
    op: "LSTM",
    name: "other functions",
    in: lstm(),
    attrs: {
      ...hidden,
      activations: strings(["Affine", "Softsign", "Softplus"]),
      activation_alpha: floats([0.3]),
      activation_beta: floats([0.4]),
    },
    outputs: 3,
  },
  { op: "LSTM", name: "clipped", in: lstm(), attrs: { ...hidden, clip: float(0.5) }, outputs: 3, gradient: false },
  {
    op: "GRU",
    in: [
      [4, 2, 3],
      [1, 12, 3],
      [1, 12, 4],
      [1, 24],
    ],
    attrs: hidden,
    outputs: 2,
  },
  {
    op: "GRU",
    name: "linear before reset",
    in: [[4, 2, 3], [1, 12, 3], [1, 12, 4], [1, 24], undefined, [1, 2, 4]],
    attrs: { ...hidden, linear_before_reset: int(1) },
    outputs: 2,
  },
  {
    op: "RNN",
    in: [
      [4, 2, 3],
      [1, 4, 3],
      [1, 4, 4],
      [1, 8],
    ],
    attrs: hidden,
    outputs: 2,
  },
];

const heads = { num_heads: int(2) };
const attentions: OperatorCase[] = [
  {
    op: "MultiHeadAttention",
    domain: "com.microsoft",
    in: [
      [2, 3, 8],
      [2, 5, 8],
      [2, 5, 8],
    ],
    attrs: heads,
  },
  {
    op: "MultiHeadAttention",
    name: "with bias, mask of keys and scores",
    domain: "com.microsoft",
    in: [[1, 3, 8], [1, 3, 8], [1, 3, 8], [24], tensor("int32", [1, 3], Int32Array.of(1, 1, 0)), [1, 2, 3, 3]],
    attrs: heads,
  },
  {
    op: "Attention",
    domain: "com.microsoft",
    in: [[2, 3, 8], [8, 24], [24]],
    attrs: { ...heads, unidirectional: int(1) },
  },
  ...[0, 1].map((interleaved) => ({
    op: "RotaryEmbedding",
    name: `interleaved ${interleaved}`,
    domain: "com.microsoft",
    in: [[2, 3, 8], int64([0, 1, 2, 1, 2, 3], [2, 3]), [5, 2], [5, 2]],
    attrs: { ...heads, interleaved: int(interleaved), rotary_embedding_dim: int(0) },
    data: (v: number) => Math.tanh(v),
  })),
];

describe("operators on sequences: onnxruntime's values within 1e-4, gradients of central differences", () => {
  for (const one of [...recurrents, ...attentions]) it(titleOf(one), () => checkOperator(one));
});

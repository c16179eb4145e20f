import { intOf } from "../attrs.ts";
import { EspalierError } from "../errors.ts";
import { labelOf } from "../graph.ts";
import type { LayerKind, WeightLayout } from "../layers.ts";
import type { Node } from "../model.ts";
import { convTransposed, matrices, rowsAlong, straight } from "./layout.ts";

/** An input through which an operator takes a weight. */
export interface Slot {
  readonly index: number;
  readonly kind: LayerKind;
  /** Index of the input that meets the weight. */
  readonly met: number;
  /** Index of the input that is added to what comes of it. */
  readonly bias?: number;
  /** The operator has one weight, in this slot or in another. */
  readonly either?: true;
  /** Least and most axes that the weight has. */
  readonly ranks: readonly [number, number];
  /** Layout of a weight of so many axes; undefined where it has none that is known. */
  layout(node: Node, dims: readonly number[]): WeightLayout | undefined;
}

const ANY = Number.POSITIVE_INFINITY;

const badWeight = (node: Node, what: string) =>
  new EspalierError("BAD_MODEL", "core/layers", `${node.opType} "${labelOf(node)}" ${what}. The model is damaged.`);

/** Groups of a convolution. @throws EspalierError `BAD_MODEL` when they do not divide the first axis of the weight */
export const groupsOf = (node: Node, dims: readonly number[]): number => {
  const groups = intOf(node, "group", 1);
  if (groups < 1 || dims[0] % groups !== 0)
    throw badWeight(node, `has ${groups} groups for a weight of dims [${dims.join(", ")}]`);
  return groups;
};

const conv = (bias: number): Slot => ({
  index: 1,
  kind: "conv",
  met: 0,
  bias,
  ranks: [3, ANY],
  layout(node, dims) {
    groupsOf(node, dims);
    return straight(dims, 1);
  },
});

const convTranspose = (bias: number): Slot => ({
  ...conv(bias),
  layout: (node, dims) => convTransposed(dims, groupsOf(node, dims)),
});

/** The two factors of a product; `transposed` tells the attribute that turns each. */
const product = (ranks: Slot["ranks"], transposed: readonly [string, string] | [], bias?: number): readonly Slot[] => {
  const side = (index: 0 | 1): Slot => ({
    index,
    kind: "linear",
    met: 1 - index,
    ...(bias !== undefined && { bias }),
    either: true,
    ranks,
    layout(node, dims) {
      // FusedMatMul may exchange the stack with the rows, which no layout here tells.
      if (intOf(node, index === 0 ? "transBatchA" : "transBatchB", 0) !== 0) return undefined;
      const name = transposed[index];
      const turned = name !== undefined && intOf(node, name, 0) !== 0;
      return matrices(dims, turned === (index === 0));
    },
  });
  return [side(1), side(0)];
};

const gather: Slot = {
  index: 0,
  kind: "embedding",
  met: 1,
  ranks: [2, ANY],
  layout(node, dims) {
    const axis = intOf(node, "axis", 0);
    if (axis < -dims.length || axis >= dims.length) throw badWeight(node, `gathers on axis ${axis} of ${dims.length}`);
    return rowsAlong(dims, axis < 0 ? axis + dims.length : axis);
  },
};

/** [in, out], as the matrices of attention are. */
const packed = (index: number, met: number, bias?: number): Slot => ({
  index,
  kind: "linear",
  met,
  ...(bias !== undefined && { bias }),
  ranks: [2, 2],
  layout: (_, dims) => matrices(dims, true),
});

const table = (index: number, met: number): Slot => ({
  index,
  kind: "embedding",
  met,
  ranks: [2, 2],
  layout: (_, dims) => rowsAlong(dims, 0),
});

/** [directions, gates * hidden, in] */
const recurrent = (index: number): Slot => ({
  index,
  kind: "recurrent",
  met: 0,
  bias: 3,
  ranks: [3, 3],
  layout: (_, dims) => straight(dims, 2),
});

const GEMM = ["transA", "transB"] as const;
const rnn = [recurrent(1), recurrent(2)];

const standard: Readonly<Record<string, readonly Slot[]>> = {
  Conv: [conv(2)],
  ConvTranspose: [convTranspose(2)],
  DeformConv: [conv(3)],
  Gather: [gather],
  Gemm: product([2, 2], GEMM, 2),
  GRU: rnn,
  LSTM: rnn,
  MatMul: product([2, ANY], []),
  RNN: rnn,
};

/** Operators of onnxruntime's own. Source: onnxruntime, docs/ContribOperators.md. */
const microsoft: Readonly<Record<string, readonly Slot[]>> = {
  Attention: [packed(1, 0, 2)],
  ConvTransposeWithDynamicPads: [convTranspose(3)],
  DecoderAttention: [packed(2, 0, 4), packed(3, 1, 4)],
  DecoderMaskedSelfAttention: [packed(1, 0, 2)],
  EmbedLayerNormalization: [table(2, 0), table(3, 8), table(4, 1)],
  FusedConv: [conv(2)],
  FusedGemm: product([2, 2], GEMM, 2),
  FusedMatMul: product([2, ANY], GEMM),
  FusedMatMulActivation: product([2, ANY], GEMM),
  LongformerAttention: [packed(1, 0, 2), packed(4, 0, 5)],
  PackedAttention: [packed(1, 0, 2)],
  TransposeMatMul: product([2, ANY], GEMM),
};

/** The inputs through which a node may take weights, the usual one first. */
export const slotsOf = ({ domain, opType }: Node): readonly Slot[] => {
  const operators = domain === "" ? standard : domain === "com.microsoft" ? microsoft : {};
  return Object.hasOwn(operators, opType) ? operators[opType] : [];
};

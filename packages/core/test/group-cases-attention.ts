import { type Case, type GraphBuilder, graphOf } from "./group-graph.ts";

const rows = (groups: string, make: (b: GraphBuilder, x: string) => string, width = 6): Case => [
  groups,
  () => graphOf([2, 5, width], make, { open: [0, 1] }),
];

/** [batch, time, heads * width] -> [batch, heads, time, width], or with the last two turned. */
const heads = (b: GraphBuilder, x: string, count: number, width: number, perm = [0, 2, 1, 3]) =>
  b.op("Transpose", [b.op("Reshape", [x, b.ints(0, 0, count, width)])], { perm });

const attend = (b: GraphBuilder, q: string, kT: string, v: string, width: number) => {
  const scores = b.op("Softmax", [b.op("Mul", [b.op("MatMul", [q, kT]), b.floats(0.577)])], { axis: -1 });
  const mixed = b.op("Transpose", [b.op("MatMul", [scores, v])], { perm: [0, 2, 1, 3] });
  return b.linear(b.op("Reshape", [mixed, b.ints(0, 0, width)]), width, 4);
};

const microsoft = { domain: "com.microsoft" };

export const attentionCases: Readonly<Record<string, Case>> = {
  "attention heads": rows("heads 3 headDims 4 headDims 4", (b, x) => {
    const [q, v] = [b.linear(x, 6, 12), b.linear(x, 6, 12)];
    const k = b.linear(x, 6, 12);
    return attend(b, heads(b, q, 3, 4), heads(b, k, 3, 4, [0, 2, 3, 1]), heads(b, v, 3, 4), 12);
  }),
  "attention of one matrix, cut by Split": rows("heads 3 headDims 4 headDims 4", (b, x) => {
    const [q, k, v] = b.ops("Split", [b.linear(x, 6, 36)], 3, { axis: -1 });
    return attend(b, heads(b, q, 3, 4), heads(b, k, 3, 4, [0, 2, 3, 1]), heads(b, v, 3, 4), 12);
  }),
  "attention of one matrix, cut by Gather": rows("heads 3 headDims 4", (b, x) => {
    const all = b.op("Reshape", [b.linear(x, 6, 36), b.ints(0, 0, 3, 3, 4)]);
    const turned = b.op("Transpose", [all], { perm: [2, 0, 3, 1, 4] });
    const [q, k, v] = [0, 1, 2].map((i) =>
      b.op("Squeeze", [b.op("Gather", [turned, b.ints(i)], { axis: 0 }), b.ints(0)]),
    );
    return attend(b, q, b.op("Transpose", [k], { perm: [0, 1, 3, 2] }), v, 12);
  }),
  "grouped queries": rows("heads 2 heads 2 headDims 4 headDims 4", (b, x) => {
    const repeated = (v: string) =>
      b.op("Reshape", [b.op("Expand", [b.op("Unsqueeze", [v, b.ints(2)]), b.ints(1, 2, 2, 5, 4)]), b.ints(0, 4, 5, 4)]);
    const q = heads(b, b.linear(x, 6, 16), 4, 4);
    const k = repeated(heads(b, b.linear(x, 6, 8), 2, 4));
    const v = repeated(heads(b, b.linear(x, 6, 8), 2, 4));
    return attend(b, q, b.op("Transpose", [k], { perm: [0, 1, 3, 2] }), v, 16);
  }),
  "rotary embedding: halves of heads go together": rows("heads 2 headDims 2 headDims 4", (b, x) => {
    const cut = (v: string, from: number, to: number) => b.op("Slice", [v, b.ints(from), b.ints(to), b.ints(3)]);
    const [cos, sin] = [b.w(1, 1, 5, 4), b.w(1, 1, 5, 4)];
    const turn = (v: string) => {
      const other = b.op("Concat", [b.op("Neg", [cut(v, 2, 4)]), cut(v, 0, 2)], { axis: -1 });
      return b.op("Add", [b.op("Mul", [v, cos]), b.op("Mul", [other, sin])]);
    };
    const q = turn(heads(b, b.linear(x, 6, 8), 2, 4));
    const k = turn(heads(b, b.linear(x, 6, 8), 2, 4));
    const v = heads(b, b.linear(x, 6, 8), 2, 4);
    return attend(b, q, b.op("Transpose", [k], { perm: [0, 1, 3, 2] }), v, 8);
  }),
  "MultiHeadAttention of onnxruntime": rows("heads 3", (b, x) => {
    const [q, k, v] = [0, 1, 2].map(() => b.op("MatMul", [x, b.w(6, 12)]));
    return b.linear(b.op("MultiHeadAttention", [q, k, v, b.w(36)], { ...microsoft, num_heads: 3 }), 12, 4);
  }),
  "Attention of onnxruntime": rows("heads 3", (b, x) =>
    b.linear(b.op("Attention", [x, b.w(6, 36), b.w(36)], { ...microsoft, num_heads: 3 }), 12, 4),
  ),
  "a table of embeddings": [
    "neurons 6",
    () =>
      graphOf([2, 5], (b, x) => {
        const ids = b.op("Cast", [b.op("Abs", [x])], { to: 7 });
        return b.linear(b.op("Gather", [b.w(9, 6), ids], { axis: 0 }), 6, 3);
      }),
  ],
  "attention block with an MLP behind it": rows("heads 3 headDims 2 headDims 2 neurons 7", (b, x) => {
    const q = heads(b, b.linear(x, 6, 6), 3, 2);
    const k = heads(b, b.linear(x, 6, 6), 3, 2, [0, 2, 3, 1]);
    const v = heads(b, b.linear(x, 6, 6), 3, 2);
    const y = b.op("LayerNormalization", [attend(b, q, k, v, 6), b.w(4), b.w(4)]);
    return b.op("Add", [y, b.linear(b.op("Relu", [b.linear(y, 4, 7)]), 7, 4)]);
  }),
};

import { attentionCases } from "./group-cases-attention.ts";
import { type Case, type CaseOptions, type GraphBuilder, graphOf } from "./group-graph.ts";

type Make = (b: GraphBuilder, x: string) => string;

const IMAGE = [2, 3, 6, 6];
const image = (groups: string, make: Make, options?: CaseOptions): Case => [
  groups,
  () => graphOf(IMAGE, make, options),
];
const rows = (groups: string, make: Make, options?: CaseOptions): Case => [
  groups,
  () => graphOf([2, 5, 6], make, { open: [0, 1], ...options }),
];

/** A graph for each coupling. Images have 3 channels, rows 6 columns. */
export const convCases: Readonly<Record<string, Case>> = {
  "two convolutions": image("channels 4", (b, x) => b.conv(b.op("Relu", [b.conv(x, 3, 4)]), 4, 2)),
  "convolution, BatchNormalization, convolution": image("channels 4", (b, x) => {
    const y = b.op("BatchNormalization", [b.conv(x, 3, 4), b.w(4), b.w(4), b.w(4), b.positive(4)]);
    return b.conv(b.op("Sigmoid", [y]), 4, 2);
  }),
  InstanceNormalization: image("channels 4", (b, x) =>
    b.conv(b.op("InstanceNormalization", [b.conv(x, 3, 4), b.w(4), b.w(4)]), 4, 2),
  ),
  "depthwise convolution": image("channels 4", (b, x) => b.conv(b.conv(b.conv(x, 3, 4), 4, 4, 3, 4), 4, 2, 1)),
  "depthwise convolution with two outputs for each channel": image("channels 2 convGroups 4", (b, x) =>
    b.conv(b.conv(b.conv(x, 3, 4), 4, 8, 3, 4), 8, 2, 1),
  ),
  "grouped convolution": image("channels 2 channels 3 convGroups 2", (b, x) =>
    b.conv(b.conv(b.conv(x, 3, 4), 4, 6, 3, 2), 6, 2, 1),
  ),
  "two grouped convolutions in a row": image("channels 2 channels 3 channels 2 convGroups 2", (b, x) =>
    b.conv(b.conv(b.conv(b.conv(x, 3, 4), 4, 6, 3, 2), 6, 4, 3, 2), 4, 2, 1),
  ),
  "channel shuffle between grouped convolutions": image("channels 2 channels 2 convGroups 2 convGroups 3", (b, x) => {
    const y = b.conv(b.conv(x, 3, 4), 4, 6, 3, 2);
    const z = b.op("Transpose", [b.op("Reshape", [y, b.ints(0, 2, 3, 6, 6)])], { perm: [0, 2, 1, 3, 4] });
    return b.conv(b.conv(b.op("Reshape", [z, b.ints(0, 6, 6, 6)]), 6, 6, 1, 3), 6, 2, 1);
  }),
  "transposed convolution": image("channels 4 channels 5", (b, x) => {
    const y = b.op("ConvTranspose", [b.conv(x, 3, 4), b.w(4, 5, 2, 2), b.w(5)], {
      strides: [2, 2],
      kernel_shape: [2, 2],
    });
    return b.conv(b.op("Relu", [y]), 5, 2);
  }),
  "grouped transposed convolution": image("channels 2 convGroups 2 channels 3", (b, x) => {
    const y = b.op("ConvTranspose", [b.conv(x, 3, 4), b.w(4, 3, 2, 2)], {
      strides: [2, 2],
      kernel_shape: [2, 2],
      group: 2,
    });
    return b.conv(b.op("Relu", [y]), 6, 2);
  }),
  "residual sum": image("channels 4 channels 5", (b, x) => {
    const y = b.conv(x, 3, 4);
    return b.conv(b.op("Relu", [b.op("Add", [y, b.conv(b.op("Relu", [b.conv(y, 4, 5)]), 5, 4)])]), 4, 2);
  }),
  "two residual sums on one path": image("channels 4 channels 5 channels 6", (b, x) => {
    const y = b.conv(x, 3, 4);
    const z = b.op("Add", [b.conv(b.op("Relu", [b.conv(y, 4, 5)]), 5, 4), y]);
    return b.conv(b.op("Add", [z, b.conv(b.op("Relu", [b.conv(z, 4, 6)]), 6, 4)]), 4, 2);
  }),
  "residual sum with a projection": image("channels 4 channels 5 channels 3", (b, x) => {
    const y = b.conv(x, 3, 4);
    const z = b.conv(b.op("Relu", [b.conv(y, 4, 3)]), 3, 5);
    return b.conv(b.op("Add", [z, b.conv(y, 4, 5, 1)]), 5, 2);
  }),
  concatenation: image("channels 4 channels 5", (b, x) =>
    b.conv(b.op("Concat", [b.conv(x, 3, 4), b.conv(x, 3, 5)], { axis: 1 }), 9, 2),
  ),
  "concatenation of what an input brings": image("channels 4", (b, x) =>
    b.conv(b.op("Concat", [x, b.conv(x, 3, 4)], { axis: 1 }), 7, 2),
  ),
  "dense block": image("channels 3 channels 4", (b, x) => {
    const y = b.conv(x, 3, 4);
    const z = b.op("Concat", [y, b.conv(b.op("Relu", [y]), 4, 3)], { axis: 1 });
    return b.conv(z, 7, 2);
  }),
  "split into branches": image("channels 2 channels 3 channels 4", (b, x) => {
    const [p, q] = b.ops("Split", [b.conv(x, 3, 5), b.ints(2, 3)], 2, { axis: 1 });
    return b.conv(b.op("Concat", [b.conv(p, 2, 4), b.op("Relu", [q])], { axis: 1 }), 7, 2);
  }),
  "equal split, added up": image("channels 3", (b, x) => {
    const [p, q] = b.ops("Split", [b.conv(x, 3, 6)], 2, { axis: 1 });
    return b.conv(b.op("Mul", [p, b.op("Sigmoid", [q])]), 3, 2);
  }),
  "split with an attribute": image(
    "channels 2 channels 4",
    (b, x) => {
      const [p, q] = b.ops("Split", [b.conv(x, 3, 6)], 2, { axis: 1, split: [2, 4] });
      return b.op("Add", [b.conv(p, 2, 2), b.conv(q, 4, 2)]);
    },
    { opset: 11 },
  ),
  "slices of channels": image("channels 2 channels 4", (b, x) => {
    const y = b.conv(x, 3, 6);
    const cut = (from: number, to: number) => b.op("Slice", [y, b.ints(from), b.ints(to), b.ints(1)]);
    return b.op("Add", [b.conv(cut(0, 2), 2, 2), b.conv(cut(2, 2 ** 31), 4, 2)]);
  }),
  "slices with attributes": image(
    "channels 2 channels 4",
    (b, x) => {
      const y = b.conv(x, 3, 6);
      const cut = (from: number, to: number) => b.op("Slice", [y], { axes: [1], starts: [from], ends: [to] });
      return b.op("Add", [b.conv(cut(0, 4), 4, 2), b.conv(cut(-2, 6), 2, 2)]);
    },
    { opset: 9 },
  ),
  "shortcut that is padded with channels": image("channels 4 channels 3", (b, x) => {
    const y = b.conv(x, 3, 4);
    const z = b.op("Pad", [y, b.ints(0, 0, 0, 0, 0, 2, 0, 0)]);
    return b.conv(b.op("Add", [z, b.conv(b.op("Relu", [b.conv(y, 4, 3)]), 3, 6)]), 6, 2);
  }),
  "padding of the edges": image("channels 4", (b, x) =>
    b.conv(b.op("Pad", [b.conv(x, 3, 4), b.ints(0, 0, 1, 1, 0, 0, 1, 1)], { mode: "reflect" }), 4, 2),
  ),
  "flatten into a product": image("channels 4 neurons 5", (b, x) => {
    const y = b.op("Flatten", [b.op("MaxPool", [b.conv(x, 3, 4)], { kernel_shape: [2, 2], strides: [2, 2] })]);
    return b.op("Gemm", [b.op("Relu", [b.op("Gemm", [y, b.w(36, 5), b.w(5)])]), b.w(2, 5), b.w(2)], { transB: 1 });
  }),
  "reshape into a product": image("channels 4", (b, x) =>
    b.op("MatMul", [b.op("Reshape", [b.conv(x, 3, 4), b.ints(-1, 144)]), b.w(144, 2)]),
  ),
  "reshape to the shape of another value": image("channels 4", (b, x) => {
    const y = b.conv(x, 3, 4);
    const z = b.op("Reshape", [b.op("Reshape", [y, b.ints(0, 0, 36)]), b.op("Shape", [y])]);
    return b.conv(b.op("Relu", [z]), 4, 2);
  }),
  "reshape to a computed shape": image("channels 4", (b, x) => {
    const y = b.conv(x, 3, 4);
    const batch = b.op("Gather", [b.op("Shape", [y]), b.ints(0)]);
    const z = b.op("Reshape", [y, b.op("Concat", [batch, b.ints(4), b.ints(36)], { axis: 0 })]);
    return b.op("MatMul", [b.op("Transpose", [z], { perm: [0, 2, 1] }), b.w(4, 2)]);
  }),
  "squeeze and excitation": image("channels 4 channels 3", (b, x) => {
    const y = b.conv(x, 3, 4);
    const s = b.conv(b.op("Relu", [b.conv(b.op("GlobalAveragePool", [y]), 4, 3, 1)]), 3, 4, 1);
    return b.conv(b.op("Mul", [y, b.op("HardSigmoid", [s])]), 4, 2);
  }),
  "squeeze and excitation through products": image("channels 4 neurons 3", (b, x) => {
    const y = b.conv(x, 3, 4);
    const mean = b.op("ReduceMean", [y], { axes: [2, 3], keepdims: 0 });
    const s = b.op("Sigmoid", [b.linear(b.op("Relu", [b.linear(mean, 4, 3)]), 3, 4)]);
    return b.conv(b.op("Mul", [y, b.op("Unsqueeze", [s, b.ints(2, 3)])]), 4, 2);
  }),
  "pooling and upsampling": image("channels 4", (b, x) => {
    const y = b.op("AveragePool", [b.conv(x, 3, 4)], { kernel_shape: [2, 2], strides: [2, 2] });
    const z = b.op("Resize", [y, "", b.floats(1, 1, 2, 2)], { mode: "nearest" });
    return b.conv(z, 4, 2);
  }),
  "upsampling to computed sizes": image("channels 4 channels 5", (b, x) => {
    const y = b.conv(x, 3, 4);
    const small = b.conv(b.op("MaxPool", [y], { kernel_shape: [2, 2], strides: [2, 2] }), 4, 5);
    const part = (v: string, from: number, to: number) =>
      b.op("Slice", [b.op("Shape", [v]), b.ints(from), b.ints(to), b.ints(0)]);
    const sizes = b.op("Concat", [part(small, 0, 2), part(x, 2, 4)], { axis: 0 });
    return b.conv(b.op("Concat", [y, b.op("Resize", [small, "", "", sizes], { mode: "nearest" })], { axis: 1 }), 9, 2);
  }),
  "a feature pyramid": image("channels 4 channels 5 channels 3", (b, x) => {
    const y = b.conv(x, 3, 4);
    const z = b.conv(b.op("MaxPool", [y], { kernel_shape: [2, 2], strides: [2, 2] }), 4, 5);
    const up = b.op("Resize", [b.conv(z, 5, 3, 1), "", b.floats(1, 1, 2, 2)], { mode: "nearest" });
    return b.conv(b.op("Add", [b.conv(y, 4, 3, 1), up]), 3, 2);
  }),
  "depth to space": image("channels 4", (b, x) =>
    b.conv(
      b.op("Reshape", [
        b.op("Transpose", [b.op("Reshape", [b.conv(x, 3, 16), b.ints(0, 4, 2, 2, 6, 6)])], {
          perm: [0, 1, 4, 2, 5, 3],
        }),
        b.ints(0, 4, 12, 12),
      ]),
      4,
      2,
    ),
  ),
  "PRelu and constants for each channel": image("channels 4", (b, x) => {
    const y = b.op("PRelu", [b.conv(x, 3, 4), b.w(4, 1, 1)]);
    return b.conv(b.op("Div", [b.op("Mul", [y, b.w(1, 4, 1, 1)]), b.positive(4, 1, 1)]), 4, 2);
  }),
  "HardSwish written out": image("channels 4", (b, x) => {
    const y = b.conv(x, 3, 4);
    const clipped = b.op("Clip", [b.op("Add", [y, b.floats(3)]), b.floats(0), b.floats(6)]);
    return b.conv(b.op("Div", [b.op("Mul", [y, clipped]), b.floats(6)]), 4, 2);
  }),
  "softmax along another axis": image("channels 4", (b, x) =>
    b.conv(b.op("Softmax", [b.conv(x, 3, 4)], { axis: -1 }), 4, 2),
  ),
  "a picked list of channels": image("channels 2 channels 2", (b, x) =>
    b.conv(b.op("Gather", [b.conv(x, 3, 4), b.ints(3, 0)], { axis: 1 }), 2, 2),
  ),
  "one weight in two places": image("channels 4", (b, x) => {
    const w = b.w(4, 4, 1, 1);
    const y = b.conv(x, 3, 4);
    return b.conv(b.op("Conv", [b.op("Relu", [b.op("Conv", [y, w])]), w]), 4, 2);
  }),
  "a kernel of one length": [
    "channels 4",
    () => graphOf([2, 3, 7], (b, x) => b.op("Conv", [b.op("Conv", [x, b.w(4, 3, 3)], { pads: [1, 1] }), b.w(2, 4, 1)])),
  ],
};

export const rowCases: Readonly<Record<string, Case>> = {
  "two products": rows("neurons 7", (b, x) => b.linear(b.op("Tanh", [b.linear(x, 6, 7)]), 7, 3)),
  "a product of a turned weight": rows("neurons 7", (b, x) => {
    const y = b.op("MatMul", [x, b.op("Transpose", [b.w(7, 6)])]);
    return b.linear(b.op("Relu", [y]), 7, 3);
  }),
  "GELU written out": rows("neurons 7", (b, x) => {
    const y = b.linear(x, 6, 7);
    const e = b.op("Add", [b.op("Erf", [b.op("Div", [y, b.floats(Math.SQRT2)])]), b.floats(1)]);
    return b.linear(b.op("Mul", [b.op("Mul", [y, e]), b.floats(0.5)]), 7, 3);
  }),
  "gated MLP": rows("neurons 7", (b, x) => {
    const gate = b.op("MatMul", [x, b.w(6, 7)]);
    const y = b.op("Mul", [b.op("Mul", [gate, b.op("Sigmoid", [gate])]), b.op("MatMul", [x, b.w(6, 7)])]);
    return b.op("MatMul", [y, b.w(7, 3)]);
  }),
  "gated MLP of one weight": rows("neurons 7", (b, x) => {
    const [gate, up] = b.ops("Split", [b.linear(x, 6, 14)], 2, { axis: -1 });
    return b.linear(b.op("Mul", [b.op("Sigmoid", [gate]), up]), 7, 3);
  }),
  "residual MLP with LayerNormalization": rows("neurons 7", (b, x) => {
    const y = b.linear(x, 6, 8);
    const norm = b.op("LayerNormalization", [y, b.w(8), b.w(8)]);
    return b.linear(b.op("Add", [y, b.linear(b.op("Relu", [b.linear(norm, 8, 7)]), 7, 8)]), 8, 3);
  }),
  Einsum: rows("neurons 7", (b, x) =>
    b.op("Einsum", [b.op("Relu", [b.op("Einsum", [x, b.w(6, 7)], { equation: "bti,io->bto" })]), b.w(7, 3)], {
      equation: "bti,io->bto",
    }),
  ),
  "a sum over the units": rows("neurons 7", (b, x) =>
    b.op("ReduceSum", [b.op("Mul", [b.op("Relu", [b.linear(x, 6, 7)]), b.w(7)]), b.ints(-1)]),
  ),
  "mean over time, then a product": rows("neurons 7", (b, x) =>
    b.linear(b.op("ReduceMean", [b.linear(x, 6, 7)], { axes: [1], keepdims: 0 }), 7, 3),
  ),
  "concatenation of rows and sum": rows("neurons 7", (b, x) => {
    const y = b.linear(x, 6, 7);
    const twice = b.op("Concat", [y, b.op("Tanh", [y])], { axis: -1 });
    return b.linear(twice, 14, 3);
  }),
  LSTM: rows("recurrent 5", (b, x) => {
    const [y] = b.ops("LSTM", [x, b.w(1, 20, 6), b.w(1, 20, 5), b.w(1, 40)], 3, { hidden_size: 5 });
    return b.linear(b.op("Squeeze", [y, b.ints(1)]), 5, 3);
  }),
  "LSTM with peepholes, of both directions": rows("recurrent 5", (b, x) => {
    const given = [x, b.w(2, 20, 6), b.w(2, 20, 5), b.w(2, 40), "", "", "", b.w(2, 15)];
    const [y] = b.ops("LSTM", given, 3, { hidden_size: 5, direction: "bidirectional" });
    const z = b.op("Reshape", [b.op("Transpose", [y], { perm: [0, 2, 1, 3] }), b.ints(0, 0, -1)]);
    return b.linear(z, 10, 3);
  }),
  "two GRUs": rows("recurrent 5 recurrent 4", (b, x) => {
    const [y] = b.ops("GRU", [x, b.w(1, 15, 6), b.w(1, 15, 5), b.w(1, 30)], 2, {
      hidden_size: 5,
      linear_before_reset: 1,
    });
    const given = [b.op("Squeeze", [y, b.ints(1)]), b.w(1, 12, 5), b.w(1, 12, 4), b.w(1, 24)];
    const [z] = b.ops("GRU", given, 2, { hidden_size: 4 });
    return b.linear(b.op("Squeeze", [z, b.ints(1)]), 4, 3);
  }),
  "RNN whose last state goes on": rows("recurrent 5", (b, x) => {
    const [, h] = b.ops("RNN", [x, b.w(1, 5, 6), b.w(1, 5, 5), b.w(1, 10)], 2, { hidden_size: 5 });
    return b.linear(h, 5, 3);
  }),
  "LSTM that starts from zeros": rows("recurrent 5", (b, x) => {
    const batch = b.op("Gather", [b.op("Shape", [x]), b.ints(1)]);
    const zeros = b.op("ConstantOfShape", [b.op("Concat", [b.ints(1), batch, b.ints(5)], { axis: 0 })]);
    const given = [x, b.w(1, 20, 6), b.w(1, 20, 5), b.w(1, 40), "", zeros, zeros];
    const [y] = b.ops("LSTM", given, 3, { hidden_size: 5 });
    return b.linear(b.op("Squeeze", [y, b.ints(1)]), 5, 3);
  }),
  ...attentionCases,
};

// Every case: what it computes, how we do it, how the others do, and the bars. The names stay.
import { modelOf, tensor } from "./onnx.mjs";
import { ortNode, ortWeb, tfjsWasm } from "./peers.mjs";

const FLOAT = 4;
const GIGA = 1e9;
const random = (count, seed) => {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};
const size = (dims) => dims.reduce((product, dim) => product * dim, 1);

/**
 * A case from its parts: `data` are { name: dims }, of which `weights` are known beforehand; `onnx` is the node; `ours` gets
 * the kernels and tensors; `tfjs` gets tf and tensors and returns a tensor. `flops` or `bytes` are what one run takes.
 */
const define = ({ name, data, weights = [], out, flops, bytes, bars = {}, ours, onnx, tfjs }) => {
  const arrays = Object.fromEntries(Object.entries(data).map(([key, dims], i) => [key, random(size(dims), i + 1)]));
  const inputs = Object.keys(data).filter((key) => !weights.includes(key));
  const model = () =>
    modelOf({
      ...onnx,
      inputs: inputs.map((key) => ({ name: key, dims: data[key] })),
      weights: Object.fromEntries(weights.map((key) => [key, tensor(key, data[key], arrays[key])])),
      outputs: [{ name: "out", dims: out }],
    });
  const feeds = Object.fromEntries(inputs.map((key) => [key, ["float32", arrays[key], data[key]]]));
  return {
    ...{ name, bars, flops, bytes },
    unit: flops ? "GFLOP/s" : "GB/s",
    work: (flops ?? bytes) / GIGA,
    ours: (hw) => {
      const tensors = Object.fromEntries(
        Object.entries(data).map(([key, dims]) => [key, hw.tensor("float32", dims, arrays[key])]),
      );
      const result = hw.tensor("float32", out);
      return () => ours(hw, tensors, result);
    },
    peers: (threads) => ({
      ...(onnx ? { "ort-web": () => ortWeb(model(), feeds, threads) } : {}),
      ...(tfjs
        ? {
            "tfjs-wasm": () =>
              tfjsWasm((tf) => {
                const tensors = Object.fromEntries(
                  Object.entries(data).map(([key, dims]) => [key, tf.tensor(arrays[key], dims)]),
                );
                return () => tfjs(tf, tensors);
              }, threads),
          }
        : {}),
      ...(onnx ? { "ort-node": () => ortNode(model(), feeds, threads) } : {}),
    }),
  };
};

/** Products whose second operand is a weight that every runtime may prepare beforehand. */
const product = (name, m, n, k, { transA = false, transB = false, bars } = {}) =>
  define({
    ...{ name, bars, flops: 2 * m * n * k, out: [m, n] },
    data: { a: transA ? [k, m] : [m, k], b: transB ? [n, k] : [k, n] },
    weights: ["b"],
    onnx: { op: "Gemm", attributes: { transA: Number(transA), transB: Number(transB) } },
    ours: (hw, { a, b }, out) => hw.gemm(a, b, { transA, transB, out }),
    tfjs: (tf, { a, b }) => tf.matMul(a, b, transA, transB),
  });

/** Convolutions of one image, channels last for TensorFlow.js and for us, NCHW for ONNX Runtime. */
const convolution = (name, channels, filters, image, kernel, { stride = 1, depthwise = false } = {}) => {
  const out = Math.ceil(image / stride);
  const before = Math.floor((kernel - 1) / 2);
  const pads = [before, before, before, before];
  const groups = depthwise ? channels : 1;
  const perGroup = channels / groups;
  return define({
    name,
    flops: 2 * out * out * filters * perGroup * kernel * kernel,
    out: [1, filters, out, out],
    data: { x: [1, channels, image, image], w: [filters, perGroup, kernel, kernel] },
    weights: ["w"],
    onnx: {
      op: "Conv",
      attributes: { strides: [stride, stride], pads, group: groups, kernel_shape: [kernel, kernel] },
    },
    ours: (hw, { x, w }, y) => hw.conv2d(x, w, { strides: stride, padding: pads, groups, out: y }),
    tfjs: (tf, { x, w }) => {
      const nhwc = tf.reshape(x, [1, image, image, channels]);
      const hwio = tf.reshape(w, depthwise ? [kernel, kernel, channels, 1] : [kernel, kernel, channels, filters]);
      const y = depthwise ? tf.depthwiseConv2d(nhwc, hwio, stride, "same") : tf.conv2d(nhwc, hwio, stride, "same");
      nhwc.dispose();
      hwio.dispose();
      return y;
    },
  });
};

const rows = (name, dims, { onnx, ours, tfjs, weights = {} }) =>
  define({
    ...{ name, out: dims, bytes: 2 * size(dims) * FLOAT, onnx, ours, tfjs },
    data: { x: dims, ...weights },
    weights: Object.keys(weights),
  });

/** Linear algebra, in milliseconds; of the others only numpy has it, run by `--python`. */
const algebra = (name, bars, prepare, numpy) => ({
  ...{ name, bars, unit: "ms", numpy },
  ours: prepare,
  peers: () => ({}),
});
const normals = (seed) => {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / (2 ** 32 + 1);
  };
  return { normal: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) };
};

/** A matrix of which a fifth is there times 256 columns, in operations of the dense product, beside our own dense one. */
const sparse = (name, blockRows, bars) => {
  const [rows, columns, n] = [SQUARE, SQUARE, 256];
  const chance = random(rows * columns, 3);
  const all = random(rows * columns, 1);
  const keep = (at) => chance[Math.floor(at / columns / blockRows) * columns + (at % columns)] > 0.6;
  const data = all.map((value, at) => (keep(at) ? value : 0));
  const flops = 2 * rows * columns * n;
  const setup = (hw) => ({
    w: hw.tensor("float32", [rows, columns], data),
    x: hw.tensor("float32", [columns, n], random(columns * n, 2)),
    out: hw.tensor("float32", [rows, n]),
  });
  return {
    ...{ name, bars, flops, unit: "GFLOP/s", work: flops / GIGA },
    ours: (hw) => {
      const { w, x, out } = setup(hw);
      const compressed = hw.sparse(w, { blockRows });
      return () => hw.spmm(compressed, x, { out });
    },
    peers: (_, hw) => ({
      dense: () => {
        const { w, x, out } = setup(hw);
        return () => hw.gemm(w, x, { out });
      },
    }),
  };
};

/** ONNX's numbers of element types. */
const TYPE = { float32: 1, uint8: 2, int8: 3, int32: 6 };
const blocksOf = (k) => k / BLOCK;
const BLOCK = 32;

/** Products of m rows with weights of 4 bits, [n, k] in blocks of 32 along k. */
const int4 = (name, m, n, k, { bars = {}, activations = "int8" } = {}) => {
  const codes = Uint8Array.from(random((n * k) / 2, 1), (x) => (x + 1) * 127);
  const scales = random(n * blocksOf(k), 2).map((x) => x / 100);
  const x = random(m * k, 3);
  const model = () =>
    modelOf({
      ...{ op: "MatMulNBits", domain: "com.microsoft" },
      attributes: { K: k, N: n, bits: 4, block_size: BLOCK, accuracy_level: 0 },
      inputs: [{ name: "x", dims: [m, k] }],
      weights: {
        b: tensor("b", [n, blocksOf(k), BLOCK / 2], codes, TYPE.uint8),
        scales: tensor("scales", [n * blocksOf(k)], scales),
      },
      outputs: [{ name: "out", dims: [m, n] }],
    });
  const feeds = { x: ["float32", x, [m, k]] };
  const bytes = codes.length + scales.length * FLOAT;
  return {
    ...{ name, bars, unit: "GOP/s", work: (2 * m * n * k) / GIGA, bytes: bytes / GIGA },
    ours: (hw) => {
      const w = hw.pack.int4({ rows: n, columns: k, blockSize: BLOCK, codes, scales });
      const [input, out] = [hw.tensor("float32", [m, k], x), hw.tensor("float32", [m, n])];
      return () => hw.gemm(w, input, { out, activations });
    },
    peers: (threads) => ({
      "ort-web": () => ortWeb(model(), feeds, threads),
      "ort-node": () => ortNode(model(), feeds, threads),
    }),
  };
};

/** Integer products of m rows of int8 with int8 weights [n, k]. */
const integers = (name, m, n, k, { bars = {} } = {}) => {
  const weights = Int8Array.from(random(n * k, 1), (x) => x * 127);
  const transposed = new Int8Array(n * k);
  for (let row = 0; row < n; row++) for (let i = 0; i < k; i++) transposed[i * n + row] = weights[row * k + i];
  const x = Int8Array.from(random(m * k, 2), (y) => y * 127);
  const model = () =>
    modelOf({
      op: "MatMulInteger",
      inputs: [{ name: "x", dims: [m, k], type: TYPE.int8 }],
      weights: { b: tensor("b", [k, n], transposed, TYPE.int8) },
      outputs: [{ name: "out", dims: [m, n], type: TYPE.int32 }],
    });
  const feeds = { x: ["int8", x, [m, k]] };
  return {
    ...{ name, bars, unit: "GOP/s", work: (2 * m * n * k) / GIGA },
    ours: (hw) => {
      const w = hw.pack.int8({ rows: n, columns: k, weights });
      const [input, out] = [hw.tensor("int8", [m, k], x), hw.tensor("int32", [m, n])];
      return () => hw.gemmInteger(w, input, { out });
    },
    peers: (threads) => ({
      "ort-web": () => ortWeb(model(), feeds, threads),
      "ort-node": () => ortNode(model(), feeds, threads),
    }),
  };
};

const LARGE = 2048;
const SQUARE = 512;

export const cases = [
  product("f32-gemm-512", SQUARE, SQUARE, SQUARE, { bars: { "ort-web": [1.3, 1.5], "tfjs-wasm": [1.5, 1.8] } }),
  product("f32-gemm-512-ta", SQUARE, SQUARE, SQUARE, { transA: true, bars: { "tfjs-wasm": [15, 15] } }),
  product("f32-gemm-512-tb", SQUARE, SQUARE, SQUARE, { transB: true, bars: { "tfjs-wasm": [15, 15] } }),
  product("f32-gemm-64", 64, LARGE, LARGE),
  product("f32-gemm-64-tb", 64, LARGE, LARGE, { transB: true }),
  product("f32-gemm-16", 16, LARGE, LARGE),
  product("f32-gemm-4", 4, LARGE, LARGE),
  product("f32-gemm-4-tb", 4, LARGE, LARGE, { transB: true }),
  product("f32-gemv-2048", 1, LARGE, LARGE, { bars: { "ort-web": [1, 1.1] } }),
  product("f32-gemv-2048-tb", 1, LARGE, LARGE, { transB: true }),
  int4("int4-gemv-2048", 1, LARGE, LARGE, { bars: { "ort-web": [40, 120], "ort-node": [1, 3] } }),
  int4("int4-gemv-2048-int16", 1, LARGE, LARGE, { activations: "int16" }),
  int4("int4-gemv-4096x11008", 1, 11008, 4096),
  int4("int4-gemm-64", 64, LARGE, LARGE, { bars: { "ort-web": [2.5, 7] } }),
  int4("int4-gemm-64-int16", 64, LARGE, LARGE, { activations: "int16" }),
  int4("int4-gemm-4", 4, LARGE, LARGE),
  integers("int8-gemm-64", 64, LARGE, LARGE, { bars: { "ort-web": [1.2, 2.5] } }),
  integers("int8-gemv-2048", 1, LARGE, LARGE),
  define({
    ...{ name: "f32-batch-12x128x128x64", flops: 2 * 12 * 128 * 128 * 64, out: [12, 128, 128] },
    data: { a: [12, 128, 64], b: [12, 64, 128] },
    onnx: { op: "MatMul" },
    ours: (hw, { a, b }, out) => hw.gemm(a, b, { out }),
    tfjs: (tf, { a, b }) => tf.matMul(a, b),
  }),
  convolution("f32-conv-3x3-64-56", 64, 64, 56, 3),
  convolution("f32-conv-3x3-s2-32-112", 32, 64, 112, 3, { stride: 2 }),
  convolution("f32-conv-1x1-128-28", 128, 128, 28, 1),
  convolution("f32-conv-7x7-s2-3-224", 3, 64, 224, 7, { stride: 2 }),
  convolution("f32-depthwise-3x3-96-56", 96, 96, 56, 3, { depthwise: true }),
  convolution("f32-depthwise-3x3-s2-96-56", 96, 96, 56, 3, { depthwise: true, stride: 2 }),
  rows("softmax-512x512", [512, 512], {
    onnx: { op: "Softmax", attributes: { axis: -1 } },
    ours: (hw, { x }, out) => hw.softmax(x, { out }),
    tfjs: (tf, { x }) => tf.softmax(x),
  }),
  rows("layernorm-512x768", [512, 768], {
    weights: { gain: [768], bias: [768] },
    onnx: { op: "LayerNormalization", attributes: { axis: -1 } },
    ours: (hw, { x, gain, bias }, out) => hw.layerNorm(x, { gain, bias, out }),
  }),
  rows("gelu-512x3072", [512, 3072], {
    onnx: { op: "Gelu" },
    ours: (hw, { x }, out) => hw.activate(x, "gelu", { out }),
  }),
  rows("sigmoid-512x3072", [512, 3072], {
    onnx: { op: "Sigmoid" },
    ours: (hw, { x }, out) => hw.activate(x, "sigmoid", { out }),
    tfjs: (tf, { x }) => tf.sigmoid(x),
  }),
  algebra(
    "cholesky-2048-f64",
    { numpy: [0.25, 0.25] },
    (hw) => {
      const x = { rows: LARGE + 8, columns: LARGE, data: Float64Array.from(random((LARGE + 8) * LARGE, 1)) };
      const a = hw.gramMatrix(x);
      return () => hw.cholesky(a);
    },
    "x = numpy.random.default_rng(1).standard_normal((2056, 2048)); a = x.T @ x; run = lambda: numpy.linalg.cholesky(a)",
  ),
  algebra(
    "svd-1024-f32-rank-128",
    { numpy: [2, 2] },
    (hw) => {
      const { normal } = normals(1);
      const a = { rows: 1024, columns: 1024, data: Float32Array.from({ length: 1024 * 1024 }, normal) };
      return () => hw.randomizedSvd(a, 128, normals(2));
    },
    "a = numpy.random.default_rng(1).standard_normal((1024, 1024)).astype('f4'); run = lambda: numpy.linalg.svd(a)",
  ),
  sparse("spmm-80", 1, { dense: [2, 2.5] }),
  sparse("spmm-80-blocks-of-2", 2, { dense: [2, 2.5] }),
  sparse("spmm-80-blocks-of-4", 4, { dense: [2, 2.5] }),
];

import { modelOf, tensor } from "./onnx.mjs";
import { ortNode, ortWeb, tfjsWasm } from "./peers.mjs";

const random = (count, seed) => {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};

/** Products [m, k] x [k, n], the second a weight that every runtime may prepare beforehand. */
const product = ({ name, m, n, k, transA = false, transB = false, bars = {} }) => ({
  name,
  unit: "GFLOP/s",
  work: 2 * m * n * k,
  bars,
  ours: (hw) => {
    const a = hw.tensor("float32", transA ? [k, m] : [m, k], random(m * k, 1));
    const b = hw.tensor("float32", transB ? [n, k] : [k, n], random(k * n, 2));
    const out = hw.tensor("float32", [m, n]);
    const [x, y] = [out, a];
    return () => hw.gemm(y, b, { transA, transB, out: x });
  },
  peers: (threads) => {
    const a = random(m * k, 1);
    const b = random(k * n, 2);
    const model = () =>
      modelOf({
        op: "Gemm",
        inputs: [{ name: "a", dims: transA ? [k, m] : [m, k] }],
        weights: { b: tensor("b", transB ? [n, k] : [k, n], b) },
        outputs: [{ name: "c", dims: [m, n] }],
        attributes: { transA: Number(transA), transB: Number(transB) },
      });
    const feeds = { a: ["float32", a, transA ? [k, m] : [m, k]] };
    return {
      "ort-web": () => ortWeb(model(), feeds, threads),
      "tfjs-wasm": () =>
        tfjsWasm((tf) => {
          const x = tf.tensor(a, transA ? [k, m] : [m, k]);
          const y = tf.tensor(b, transB ? [n, k] : [k, n]);
          return () => tf.matMul(x, y, transA, transB);
        }, threads),
      "ort-node": () => ortNode(model(), feeds, threads),
    };
  },
});

export const cases = [
  product({ name: "f32-gemm-512", m: 512, n: 512, k: 512 }),
  product({ name: "f32-gemm-512-ta", m: 512, n: 512, k: 512, transA: true }),
  product({ name: "f32-gemm-512-tb", m: 512, n: 512, k: 512, transB: true }),
  product({ name: "f32-gemm-64", m: 64, n: 2048, k: 2048 }),
  product({ name: "f32-gemm-16", m: 16, n: 2048, k: 2048 }),
  product({ name: "f32-gemm-4", m: 4, n: 2048, k: 2048 }),
  product({ name: "f32-gemv-2048", m: 1, n: 2048, k: 2048 }),
  product({ name: "f32-gemv-2048-tb", m: 1, n: 2048, k: 2048, transB: true }),
];

// The other runtimes, each as a function from a case's description to a function that runs it once.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);

/** A session's `run` on fixed feeds. `feeds` is { name: [type, data, dims] }. */
const runOnnx = async (ort, model, feeds, options) => {
  const session = await ort.InferenceSession.create(model, options);
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, [type, data, dims]]) => [name, new ort.Tensor(type, data, dims)]),
  );
  return () => session.run(tensors);
};

export const ortWeb = async (model, feeds, threads) => {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = threads;
  return runOnnx(ort, model, feeds, { executionProviders: ["wasm"] });
};

export const ortNode = async (model, feeds, threads) => {
  const { default: ort } = await import("onnxruntime-node");
  return runOnnx(ort, model, feeds, { executionProviders: ["cpu"], intraOpNumThreads: threads });
};

let tf;
/** TensorFlow.js on its wasm backend. `run` gets tf and returns a tensor. */
export const tfjsWasm = async (prepare, threads) => {
  if (!tf) {
    tf = require("@tensorflow/tfjs-core");
    const wasm = require("@tensorflow/tfjs-backend-wasm");
    wasm.setWasmPaths(join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")), "/"));
    wasm.setThreadsCount(threads);
    await tf.setBackend("wasm");
  }
  const run = prepare(tf);
  return () => run().dispose();
};

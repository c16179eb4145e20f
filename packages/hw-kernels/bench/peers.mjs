// The other runtimes, each as a function from a case's description to a function that runs it once.
import { execFileSync } from "node:child_process";
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

/** Milliseconds of processor time that numpy takes on as many threads, the least of five runs. `code` defines `run`. */
export const numpyMilliseconds = (python, code, threads) => {
  const program = `import time, numpy
${code}
times = []
for _ in range(5):
    start = time.process_time(); run(); times.append(time.process_time() - start)
print(1000 * min(times))`;
  const count = String(threads);
  const env = { ...process.env, OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count, MKL_NUM_THREADS: count };
  return Number(execFileSync(python, ["-c", program], { encoding: "utf8", env }));
};

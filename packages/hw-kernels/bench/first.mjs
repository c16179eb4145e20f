// Milliseconds from import to the first product, of one runtime in a process of its own: node first.mjs ours|ort-web.
import { clocks } from "./measure.mjs";

const [ROWS, SIZE] = [64, 512];
const data = Float32Array.from({ length: SIZE * SIZE }, (_, i) => (i % 17) / 17);
const rows = data.subarray(0, ROWS * SIZE);

const runs = {
  ours: async () => {
    const { createKernels } = await import("../dist/index.js");
    const hw = await createKernels();
    hw.gemm({ type: "float32", dims: [ROWS, SIZE], data: rows }, { type: "float32", dims: [SIZE, SIZE], data });
  },
  "ort-web": async () => {
    const { modelOf, tensor } = await import("./onnx.mjs");
    const { ortWeb } = await import("./peers.mjs");
    const model = modelOf({
      op: "MatMul",
      inputs: [{ name: "a", dims: [ROWS, SIZE] }],
      weights: { b: tensor("b", [SIZE, SIZE], data) },
      outputs: [{ name: "c", dims: [ROWS, SIZE] }],
    });
    await (await ortWeb(model, { a: ["float32", rows, [ROWS, SIZE]] }, 1))();
  },
};

const clock = clocks[process.argv[3]];
const start = clock();
await runs[process.argv[2]]();
console.log(clock() - start);
process.exit();

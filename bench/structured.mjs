// What structured pruning costs without training: node bench/structured.mjs rec|det|cls|minilm|tinylm|mnist-resnet [RATIO…] [--json].
// Of each ratio of multiply-accumulates, plain L1 (the same share of every group, nothing made up for) beside ours, on
// the same calibration data: bytes, multiply-accumulates, latency against float32, the task's metrics.
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import * as ort from "onnxruntime-node";
import {
  countMacs,
  fold,
  measureLatency,
  measureSize,
  openModel,
  openSession,
  runPass,
} from "../packages/core/dist/index.js";
import { createKernels } from "../packages/hw-kernels/dist/index.js";
import { structured } from "../packages/prune/dist/index.js";
import { floatModel } from "./lib/places.mjs";

const USUAL_RATIOS = ["0.1", "0.2", "0.3"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false }, options: { type: "string", default: "{}" } },
});
const [task, ...ratios] = positionals;
const { calibration, evaluate, latencyFeed } = await import(`./data/${task}.mjs`);
const model = await fold(await openModel(new Uint8Array(await readFile(floatModel(task)))));

const ways = {
  l1: { score: "l1", scope: "local", reconstruct: false, multiple: 1 },
  ours: JSON.parse(values.options),
};

const measured = async (made) => {
  const session = await openSession(ort, made, { threads: 1 });
  const metrics = await evaluate((feeds) => session.run(feeds));
  await session.release();
  return Object.fromEntries(Object.entries(metrics).map(([name, { value }]) => [name, value]));
};

const kernels = await createKernels({ threads: 1, prefer: "simd" });
const feeds = await latencyFeed();
const before = await countMacs(model, { ort, feeds });
const rows = [{ way: "float32", bytes: measureSize(model).bytes, macs: 1, latency: 1, ...(await measured(model)) }];
for (const ratio of ratios.length > 0 ? ratios : USUAL_RATIOS)
  for (const [way, options] of Object.entries(ways)) {
    const start = performance.now();
    const made = await runPass(model, structured({ ...options, ratio: Number(ratio) }), { ort, calibration, kernels });
    const seconds = (performance.now() - start) / 1000;
    const { ratio: latency } = await measureLatency({
      before: model,
      after: made,
      feeds: [feeds],
      ort,
      threads: 1,
      rounds: 9,
    });
    rows.push({
      way: `${way} ${ratio}`,
      bytes: measureSize(made).bytes,
      macs: Number(((await countMacs(made, { ort, feeds })).total / before.total).toFixed(3)),
      latency: Number(latency.toFixed(3)),
      seconds: Number(seconds.toFixed(1)),
      ...(await measured(made)),
    });
    if (!values.json) console.log(JSON.stringify(rows.at(-1)));
  }
if (values.json) console.log(JSON.stringify(rows, undefined, 1));
else console.log(JSON.stringify(rows[0]));

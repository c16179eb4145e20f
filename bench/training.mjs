// Methods that train, on the digits, beside the reference: node bench/training.mjs [--quick] [--json] [--only TEXT] [--backend NAME]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { layers, numbersOf, openModel, openSession, runPass } from "@espalier/core";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import * as ort from "onnxruntime-node";
import { registerEspalierKernels } from "../packages/hw-kernels/src/tfjs/index.ts";
import { dst, gradual, han, magnitude, str, surgery } from "../packages/prune/src/index.ts";
import { binaryConnect, lsq, twn } from "../packages/quant/src/index.ts";
import { batchOf, digits, shuffled } from "./lib/digit-batches.mjs";

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    backend: { type: "string", default: "wasm" },
    seeds: { type: "string" },
  },
});
const { ESPALIER_MODELS, ESPALIER_PEERS } = process.env;
if (!ESPALIER_MODELS || !ESPALIER_PEERS)
  throw new Error("Set ESPALIER_MODELS (mnist/*.onnx) and ESPALIER_PEERS (mnist.json). See bench/README.md.");

const adam = (learningRate) => ({ kind: "adam", learningRate, schedule: "cosine" });
const sgd = (learningRate, weightDecay = 0) => ({
  kind: "sgd",
  momentum: 0.9,
  learningRate,
  weightDecay,
  schedule: "cosine",
});
const MLP = "lenet-300-100";
const HAN = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98];
const upTo = (sparsity) => HAN.filter((step) => step <= sparsity);

/** method, model and setting as the reference names them; `quick`: in the short run. */
const rows = [
  ...[0.5, 0.8, 0.9, 0.95, 0.98].map((s) => ({
    method: "magnitude prune, no retraining",
    model: MLP,
    setting: `global ${s * 100}%`,
    exact: true,
    quick: s === 0.9,
    pass: () => magnitude({ sparsity: s, scope: "global" }),
  })),
  ...[0.9, 0.95, 0.98].flatMap((s) =>
    [MLP, "lenet-5"].map((model) => ({
      method: "iterative magnitude prune + retrain",
      model,
      setting: `global ${s * 100}%`,
      quick: s === 0.9 && model === MLP,
      pass: (seed) => han({ sparsities: upTo(s), epochs: model === MLP ? 4 : 2, optimizer: adam(5e-4), seed }),
    })),
  ),
  ...[0.9, 0.95, 0.98].map((sparsity) => ({
    method: "magnitude, cubic schedule (GMP)",
    model: MLP,
    setting: `${sparsity * 100}% global`,
    quick: sparsity === 0.95,
    pass: (seed) => gradual({ sparsity, epochs: 6, optimizer: adam(1e-3), seed }),
  })),
  ...[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02].map((decay) => ({
    method: "STR",
    model: MLP,
    setting: `weight decay ${decay}`,
    quick: decay === 0.005,
    pass: (seed) => str({ epochs: 6, optimizer: sgd(0.05, decay), seed }),
  })),
  ...[0.0001, 0.0005, 0.002, 0.005, 0.01, 0.03].map((alpha) => ({
    method: "DST",
    model: MLP,
    setting: `alpha ${alpha}`,
    quick: alpha === 0.005,
    pass: (seed) => dst({ alpha, epochs: 6, optimizer: sgd(0.01), seed }),
  })),
  ...[1, 2, 3, 4].map((c) => ({
    method: "DNS",
    model: MLP,
    setting: `c ${c}`,
    quick: c === 2,
    pass: (seed) => surgery({ c, epochs: 6, optimizer: sgd(0.02), seed }),
  })),
  ...["lenet-5", "resnet-bn"].flatMap((model) =>
    [2, 3, 4].map((bits) => ({
      method: "LSQ",
      model,
      setting: `W${bits}A${bits}, first and last layer 8 bit`,
      quick: false,
      pass: (seed) => lsq({ bits, epochs: model === "lenet-5" ? 3 : 2, optimizer: adam(1e-3), seed }),
    })),
  ),
  ...[MLP, "lenet-5", "resnet-bn"]
    .flatMap((model) => [
      { method: "TWN (ternary, scale per layer)", model, make: twn },
      {
        method: "binary, scale per layer (BWN)",
        model,
        make: (options) => binaryConnect({ ...options, scaled: true }),
      },
    ])
    .map(({ method, model, make }) => ({
      method,
      model,
      setting: "all layers, weights only",
      quick: model === MLP,
      pass: (seed) => make({ epochs: 2, optimizer: adam(1e-3), seed }),
    })),
  {
    method: "BinaryConnect (+-1, no scale)",
    model: "resnet-bn",
    setting: "all layers, weights only",
    quick: false,
    pass: (seed) => binaryConnect({ epochs: 2, optimizer: adam(1e-3), seed }),
  },
];

const { train, test } = digits();
const isFlat = (model) => model.graph.inputs[0].type.shape.length === 2;

const accuracy = async (model) => {
  const session = await openSession(ort, model, { threads: 1 });
  const { feeds, labels } = batchOf(test, Array.from(test.labels.keys()), isFlat(model));
  const [scores] = Object.values(await session.run(feeds));
  await session.release();
  const classes = scores.dims[1];
  const right = labels.data.filter((label, i) => {
    const row = Array.from(scores.data.slice(i * classes, (i + 1) * classes));
    return row.indexOf(Math.max(...row)) === label;
  });
  return (100 * right.length) / labels.data.length;
};

const zeros = async (model) => {
  let [none, all] = [0, 0];
  for (const { weight } of layers(model)) {
    const values = numbersOf({ ...weight.tensor, data: weight.tensor.data });
    for (let i = 0; i < values.length; i++) none += values[i] === 0 ? 1 : 0;
    all += values.length;
  }
  return (100 * none) / all;
};

const peers = JSON.parse(readFileSync(join(ESPALIER_PEERS, "mnist.json"), "utf8"));
const peerOf = ({ method, model, setting }) =>
  peers.find((row) => row.method === method && row.model === model && row.setting === setting);
const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
const deviation = (list) =>
  list.length < 2 ? 0 : Math.sqrt(list.reduce((sum, value) => sum + (value - mean(list)) ** 2, 0) / (list.length - 1));

if (flags.backend === "wasm") await registerEspalierKernels(tf, { threads: 1 });
await tf.setBackend(flags.backend);
await tf.ready();
const chosen = rows.filter(({ quick, method, model, setting }) =>
  flags.only ? `${method} ${model} ${setting}`.includes(flags.only) : !flags.quick || quick,
);
const seeds = flags.seeds ? Number(flags.seeds) : flags.quick ? 1 : 3;
const found = [];
for (const row of chosen) {
  const started = performance.now();
  const [scores, sparsities] = [[], []];
  const model = await openModel(join(ESPALIER_MODELS, "mnist", `${row.model}.onnx`));
  for (let seed = 0; seed < (row.exact ? 1 : seeds); seed++) {
    const made = await runPass(model, row.pass(seed), { tf, ort, training: shuffled(train, isFlat(model)), seed });
    scores.push(await accuracy(made));
    sparsities.push(await zeros(made));
  }
  const peer = peerOf(row);
  const allowed = row.exact ? 1e-3 : Math.max(2 * (peer?.sd ?? 0), 0.3);
  const result = {
    method: row.method,
    model: row.model,
    setting: row.setting,
    ours: mean(scores),
    sd: deviation(scores),
    zeros: mean(sparsities),
    reference: peer?.mean,
    referenceSd: peer?.sd,
    referenceZeros: peer?.sparsity_percent,
    holds: peer && (row.exact ? Math.abs(mean(scores) - peer.mean) <= allowed : mean(scores) >= peer.mean - allowed),
    seconds: (performance.now() - started) / 1000,
  };
  found.push(result);
  const share = result.zeros > 1 ? `${result.zeros.toFixed(1)} % zeros` : "";
  const peerShare = result.referenceZeros ? ` (${result.referenceZeros} % zeros)` : "";
  process.stderr.write(
    `${row.method} | ${row.model} | ${row.setting} | ${result.ours.toFixed(2)} ± ${result.sd.toFixed(2)} ${share} | ` +
      `reference ${peer?.mean.toFixed(2)} ± ${(peer?.sd ?? 0).toFixed(2)}${peerShare} | ${result.holds ? "holds" : "FALLS SHORT"} | ${result.seconds.toFixed(0)} s\n`,
  );
}
if (flags.json) console.log(JSON.stringify({ backend: flags.backend, seeds, rows: found }, null, 2));
else {
  const held = found.filter(({ holds }) => holds).length;
  console.log(`${held} of ${found.length} rows hold (mean of ${seeds} at most max(2 sd, 0.3) below the reference)`);
}

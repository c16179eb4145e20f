// What a compressed model is worth: node bench/evaluate.mjs rec|det|cls|minilm|tinylm|smollm2 MODEL.onnx [--web]
// [--threads N] [--no-latency] [--no-brotli] [--json]. Bytes, brotli, the task's metrics, and latency against float32; see bench/README.md.
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";
import { floatModel } from "./lib/places.mjs";

const TASKS = ["rec", "det", "cls", "minilm", "tinylm", "smollm2"];
/** The quality that the published figures of other tools were made with. */
const BROTLI_QUALITY = 9;
const WARM_UP = 3;
const ROUNDS = 15;
const MICROSECONDS = 1000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    web: { type: "boolean", default: false },
    threads: { type: "string", default: "1" },
    latency: { type: "boolean", default: true },
    brotli: { type: "boolean", default: true },
    json: { type: "boolean", default: false },
  },
  allowNegative: true,
});
const [task, model] = positionals;
if (!TASKS.includes(task) || !model) {
  console.error(
    `usage: node bench/evaluate.mjs ${TASKS.join("|")} MODEL.onnx [--web] [--threads N] [--no-latency] [--no-brotli] [--json]`,
  );
  process.exit(2);
}

/** The model's file and the files of external data beside it, which are named MODEL_data, MODEL_data_1, … */
const filesOf = async (path) => {
  const beside = (await readdir(dirname(path))).filter((name) => name.startsWith(`${basename(path)}_data`));
  return [path, ...beside.map((name) => join(dirname(path), name))];
};

const sizes = async (path) => {
  const compress = promisify(brotliCompress);
  const params = { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY };
  let [bytes, brotli] = [0, 0];
  for (const file of await filesOf(path)) {
    bytes += (await stat(file)).size;
    if (options.brotli) brotli += (await compress(await readFile(file), { params })).length;
  }
  return { bytes, ...(options.brotli && { brotli }) };
};

const threads = Number(options.threads);
const { default: ort } = options.web ? await import("onnxruntime-web") : await import("onnxruntime-node");
if (options.web) ort.env.wasm.numThreads = threads;

const open = async (path) => {
  const external = options.web ? (await filesOf(path)).slice(1) : [];
  const externalData = await Promise.all(
    external.map(async (file) => ({ path: basename(file), data: new Uint8Array(await readFile(file)) })),
  );
  const session = await ort.InferenceSession.create(
    options.web ? new Uint8Array(await readFile(path)) : path,
    options.web ? { externalData } : { intraOpNumThreads: threads, interOpNumThreads: 1 },
  );
  const run = (feeds) => {
    const inputs = session.inputNames.map((name) => {
      const { type, data, dims } = feeds[name];
      return [name, new ort.Tensor(type, data, dims)];
    });
    return session.run(Object.fromEntries(inputs));
  };
  return { run, release: () => session.release() };
};

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Single runs of both models in turn; the processor's time beside the clock's, for machines that do other work. */
const latency = async (before, after, feed) => {
  const times = new Map([before, after].map((which) => [which, { wall: [], cpu: [] }]));
  for (let round = 0; round < WARM_UP + ROUNDS; round++)
    for (const which of round % 2 ? [after, before] : [before, after]) {
      const [start, used] = [performance.now(), process.cpuUsage()];
      await which.run(feed);
      const cpu = process.cpuUsage(used);
      if (round < WARM_UP) continue;
      times.get(which).wall.push(performance.now() - start);
      times.get(which).cpu.push((cpu.user + cpu.system) / MICROSECONDS);
    }
  const [a, b] = [times.get(before), times.get(after)];
  return {
    before: median(a.wall),
    after: median(b.wall),
    ratio: median(b.wall) / median(a.wall),
    cpuRatio: median(b.cpu) / median(a.cpu),
  };
};

const data = await import(`./data/${task}.mjs`);
const after = await open(model);
const result = { task, model, runtime: options.web ? "web" : "node", threads, ...(await sizes(model)) };
const metrics = await data.evaluate((feeds) => after.run(feeds));
result.metrics = Object.fromEntries(Object.entries(metrics).map(([name, { value }]) => [name, value]));
if (options.latency) {
  const before = await open(floatModel(task));
  result.latency = await latency(before, after, await data.latencyFeed());
  await before.release();
}
await after.release();

if (options.json) console.log(JSON.stringify(result));
else {
  const shown = Object.entries(result.metrics).map(([name, value]) => `${name} ${value}`);
  const packed = options.brotli ? `, ${result.brotli} brotli` : "";
  console.log(`${task} on ${result.runtime}, ${threads} thread(s): ${result.bytes} bytes${packed}`);
  console.log(shown.join(", "));
  if (result.latency) {
    const { before: from, after: to, ratio, cpuRatio } = result.latency;
    console.log(
      `latency ${to.toFixed(2)} ms against float32's ${from.toFixed(2)} ms: ratio ${ratio.toFixed(3)} (processor time ${cpuRatio.toFixed(3)})`,
    );
  }
}

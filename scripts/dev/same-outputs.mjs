// node scripts/dev/same-outputs.mjs DIR [PART OF A NAME]: fold and upgradeOpset keep the outputs of every model of DIR and
// DIR/old that onnxruntime-node runs, to 1e-5 of the largest value of each output. See onnx-cases.py. Each model is tried
// as it is, with all inputs but the first as weights, and with all of them in Constant nodes, so that there is something
// to fold. Refused by an EspalierError is fine and counted; anything else is printed. Children run the models: some crash
// onnxruntime.
import { fork } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as core from "../../packages/core/dist/index.js";

const ort = createRequire(new URL("../../test/package.json", import.meta.url))("onnxruntime-node");
const [folder, part = ""] = process.argv.slice(2);
const BOUND = 1e-5;
const TARGET = 21;
const NEWEST = 25;

const constants = (feeds, names) =>
  names.map((name) => core.makeNode("Constant", [], [name], { value: core.attrs.tensorAttr(feeds.get(name)) }));

/** The model with the inputs `names` given for good. */
const given = (model, feeds, names, inNodes) => ({
  ...model,
  graph: {
    ...model.graph,
    inputs: model.graph.inputs.filter(({ name }) => !names.includes(name)),
    nodes: inNodes ? [...constants(feeds, names), ...model.graph.nodes] : model.graph.nodes,
    weights: inNodes ? model.graph.weights : new Map([...model.graph.weights, ...names.map((n) => [n, feeds.get(n)])]),
  },
});

const forms = {
  given: (model) => model,
  weights: (model, feeds, names) => names.length > 1 && given(model, feeds, names.slice(1), false),
  constants: (model, feeds, names) => names.length > 0 && model.irVersion > 3 && given(model, feeds, names, true),
};

const changes = {
  fold: (model) => core.fold(model),
  "fold, equal weights once": (model) => core.fold(model, { mergeDuplicates: true }),
  [`opset ${TARGET}`]: (model) => core.upgradeOpset(model, TARGET),
  [`opset ${NEWEST}`]: (model) => core.upgradeOpset(model, NEWEST),
  [`fold, opset ${TARGET}, fold`]: async (model) => core.fold(core.upgradeOpset(await core.fold(model), TARGET)),
};

const run = async (model, feeds) => {
  const session = await core.openSession(ort, model, {
    threads: 1,
    ortOptions: { graphOptimizationLevel: "disabled", logSeverityLevel: 4 },
  });
  try {
    return await session.run(Object.fromEntries(session.inputs.map((name) => [name, feeds.get(name)])));
  } finally {
    await session.release();
  }
};

const half = (bits) => {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14);
};
const numbers = ({ type, data }) => Array.from(data, type === "float16" ? half : (value) => value);

/** What differs, or undefined. */
const difference = (expected, found) => {
  for (const [name, a] of Object.entries(expected)) {
    const b = found[name];
    if (!b || a.type !== b.type || `${a.dims}` !== `${b.dims}`) return `${name}: ${b?.type} [${b?.dims}]`;
    const [x, y] = [numbers(a), numbers(b)];
    const exact = !a.type.startsWith("float");
    const largest = exact ? 0 : Math.max(0, ...x.filter(Number.isFinite).map(Math.abs));
    const at = x.findIndex((value, i) => !Object.is(value, y[i]) && !(Math.abs(value - y[i]) <= BOUND * largest));
    if (at >= 0 && !(x[at] === 0 && y[at] === 0)) return `${name}[${at}]: ${y[at]}, expected ${x[at]}`;
  }
  return undefined;
};

const report = (what) => process.send(what);

const check = async (name, form, model, feeds) => {
  report({ stage: `${name} (${form})`, original: form });
  let expected;
  try {
    expected = await run(model, feeds);
    if (difference(expected, await run(model, feeds))) return report({ key: form, what: "random" });
  } catch {
    return report({ key: form, what: "not run" });
  }
  report({ key: form, what: "run" });
  for (const [change, apply] of Object.entries(changes)) {
    const key = `${form}: ${change}`;
    const stage = `${name} (${key})`;
    report({ stage });
    try {
      const changed = await apply(model);
      if (changed === model) {
        report({ key, what: "unchanged" });
        continue;
      }
      const differs = difference(expected, await run(changed, feeds));
      report({ key, what: differs ? "WRONG" : "same outputs", problem: differs && `${stage}: ${differs}` });
    } catch (error) {
      if (core.isEspalierError(error) && error.code === "UNSUPPORTED")
        report({ key, what: "refused", reason: error.message });
      // onnxruntime-node 1.30 has no kernel for the newest version of some operators
      else if (error.message.includes("Could not find an implementation")) report({ key, what: "not run" });
      else report({ key, what: "FAILED", problem: `${stage}: ${error.message}` });
    }
  }
};

const models = ["", "old"]
  .flatMap((place) => readdirSync(join(folder, place)).map((file) => join(place, file)))
  .filter((file) => /^(old\/)?(wheel|node)-.*\.onnx$/.test(file) && file.includes(part));

const checkModel = async (file) => {
  const name = file.replace(/^old\//, "").replace(/(\.constant)?(\.\d+)?\.onnx$/, "");
  const source = join(folder, "feeds", `${name}.onnx`);
  const feeds = existsSync(source) ? core.readOnnx(new Uint8Array(readFileSync(source))).graph.weights : new Map();
  const model = core.readOnnx(new Uint8Array(readFileSync(join(folder, file))));
  const names = model.graph.inputs.map((info) => info.name).filter((input) => !model.graph.weights.has(input));
  if (names.some((input) => !feeds.has(input))) return report({ key: "given", what: "no tensors" });
  for (const [form, make] of Object.entries(forms)) {
    const made = make(model, feeds, names);
    if (made) await check(file, file.startsWith("old") ? `old, ${form}` : form, made, feeds);
  }
};

const counts = new Map();
const reasons = new Map();
const problems = [];
const count = (key, what) => {
  const row = counts.get(key) ?? {};
  row[what] = (row[what] ?? 0) + 1;
  counts.set(key, row);
};

/** Runs models in a child until it ends; resolves to the place of the first model that is left. */
const runChild = (start) =>
  new Promise((resolve) => {
    const child = fork(fileURLToPath(import.meta.url), [folder, part, String(start)]);
    let at = start;
    let stage = {};
    child.on("message", (message) => {
      if (message.done !== undefined) at = message.done;
      else if (message.stage !== undefined) stage = message;
      else {
        count(message.key, message.what);
        if (message.problem) problems.push(message.problem);
        const found = message.reason?.matchAll(/(?:: |; )(\w+) "[^"]*": ([^;"]*)/g) ?? [];
        for (const [, op, why] of found) reasons.set(`${op}: ${why}`, (reasons.get(`${op}: ${why}`) ?? 0) + 1);
      }
    });
    child.on("exit", (code) => {
      if (code === 0) return resolve(models.length);
      if (stage.original) count(stage.original, "crashed onnxruntime");
      else problems.push(`${stage.stage}: the process crashed`);
      resolve(at + 1);
    });
  });

if (process.send) {
  for (let at = Number(process.argv[4]); at < models.length; at++) {
    report({ done: at });
    await checkModel(models[at]);
  }
  process.disconnect();
} else {
  for (let at = 0; at < models.length; ) at = await runChild(at);
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, row] of rows) console.log(key.padEnd(40), JSON.stringify(row));
  console.log("\nrefused:");
  for (const [reason, times] of [...reasons].sort(([, a], [, b]) => b - a)) console.log(`${times} × ${reason}`);
  console.log(`\n${problems.length} problems`);
  for (const problem of problems) console.log(problem);
  process.exitCode = problems.length ? 1 : 0;
}

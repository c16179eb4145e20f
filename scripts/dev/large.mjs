// node scripts/dev/large.mjs [BITS]: opens a model of 2.4 GB with external data, makes its weights smaller by rtn and saves
// it; prints the seconds and the peak of resident memory after each step. Needs 3 GB of space for temporary files.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as core from "../../packages/core/dist/index.js";
import { rtn } from "../../packages/quant/dist/index.js";

const WIDE = 4096;
const NARROW = 2048;
const LAYERS = 72;

/** A weight of noise that is made when it is read. */
const noise = (dims, seed) => {
  const make = () => {
    const rng = core.createRng(seed);
    const row = Float32Array.from({ length: NARROW }, () => rng.normal());
    const data = new Float32Array(WIDE * NARROW);
    for (let at = 0; at < data.length; at += NARROW) data.set(row.subarray(0, NARROW), at);
    return data;
  };
  return { type: "float32", dims, byteLength: WIDE * NARROW * 4, getData: async () => make(), drop: () => {} };
};

/** A chain of products x [n, 4096] -> [n, 2048] -> [n, 4096] … */
const build = (path) => {
  const weights = new Map();
  const nodes = [];
  for (let i = 0; i < LAYERS; i++) {
    weights.set(`w${i}`, noise(i % 2 ? [NARROW, WIDE] : [WIDE, NARROW], i));
    nodes.push(core.makeNode("MatMul", [i ? `y${i - 1}` : "x", `w${i}`], [`y${i}`]));
  }
  const value = (name) => ({ name, type: { kind: "tensor", type: "float32", shape: ["n", WIDE] } });
  const [inputs, outputs] = [[value("x")], [value(`y${LAYERS - 1}`)]];
  const graph = { name: "large", nodes, inputs, outputs, values: [], weights, sparseWeights: [] };
  const model = { irVersion: 10, opsets: new Map([["", 21]]), graph, functions: [], metadata: new Map() };
  return core.saveModel(model, path, { externalData: true });
};

const [bits = "4", target] = process.argv.slice(2);
if (bits === "build") await build(target);
else {
  const folder = mkdtempSync(join(tmpdir(), "espalier-large-"));
  try {
    const path = join(folder, "large.onnx");
    const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), "build", path], {
      stdio: "inherit",
    });
    if (status !== 0) throw new Error("the model could not be made");
    const start = performance.now();
    const say = (what) => {
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(`${seconds} s, peak ${Math.round((process.resourceUsage().maxRSS * 1024) / 1e6)} MB: ${what}`);
    };
    const model = await core.openModel(path);
    const { bytes: before } = core.measureSize(model);
    say(`opened, ${(before / 1e6).toFixed(0)} MB`);
    const small = await core.runPass(model, rtn({ bits: Number(bits) }));
    say(`rtn to ${bits} bits`);
    const { bytes, files } = await core.saveModel(small, join(folder, "small.onnx"));
    say(`saved, ${(bytes / 1e6).toFixed(0)} MB in ${files.length} files`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { saveModel } from "@espalier/core";
import { tinyConv } from "@espalier/core/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { realModels } from "./real-models.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const bin = fileURLToPath(new URL("../dist/bin.js", import.meta.url));
const folder = temporaryFolder();

beforeAll(() => {
  if (!existsSync(bin)) throw new Error("packages/cli/dist/bin.js is not built. Run npm test, or npm run build.");
});

const run = (...args: string[]) => spawnSync(process.execPath, [bin, ...args], { cwd: folder.at(), encoding: "utf8" });

/** Starts the command, and sends signals when its stderr has said what is waited for. */
const interrupted = (args: readonly string[], waitFor: RegExp, signals: readonly NodeJS.Signals[]) =>
  new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, [bin, ...args], { cwd: folder.at() });
    const left = [...signals];
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text) => {
      stdout += text;
    });
    child.stderr.on("data", (text) => {
      stderr += text;
      const due = left.length === signals.length ? waitFor.test(stderr) : /stopping/.test(stderr);
      if (due && left.length > 0) child.kill(left.shift());
    });
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });

/** A data module whose samples take 50 ms each, and which says on stderr that it has begun. */
const slowData = () =>
  writeFileSync(
    folder.at("slow.mjs"),
    `export async function* calibration() {
       for (let i = 0; i < 2000; i++) {
         await new Promise((resolve) => setTimeout(resolve, 50));
         if (i === 1) process.stderr.write("begun\\n");
         yield { x: { type: "float32", dims: [1, 3, 12, 12], data: new Float32Array(432).fill(i) } };
       }
     }`,
  );

describe("the built command", () => {
  it("prints JSON and nothing else on stdout, also into a pipe that is closed early", () => {
    const whole = run("inspect", realModels.classifier, "--json");
    expect([whole.status, whole.stderr]).toEqual([0, ""]);
    expect(JSON.parse(whole.stdout).layers).toHaveLength(54);
    const cut = spawnSync(
      "sh",
      ["-c", `"$0" "$1" inspect "$2" --json | head -c 10`, process.execPath, bin, realModels.classifier],
      { encoding: "utf8" },
    );
    expect([cut.status, cut.stderr, cut.stdout]).toEqual([0, "", whole.stdout.slice(0, 10)]);
  });

  it("compresses without loading a runtime when nothing is measured", async () => {
    await saveModel(tinyConv().model, folder.at("conv.onnx"));
    const args = ["compress", "conv.onnx", "--recipe", "fp16", "--no-measure"];
    const trace = spawnSync(process.execPath, ["--cpu-prof", "--cpu-prof-dir", folder.at("prof"), bin, ...args], {
      cwd: folder.at(),
    });
    expect(trace.status).toBe(0);
    const profile = readFileSync(folder.at("prof", readdirSync(folder.at("prof"))[0]), "utf8");
    expect(profile).toContain("commander");
    expect(profile).not.toContain("onnxruntime");
  });
});

describe("without onnxruntime-node", () => {
  it("says what to install, with exit code 2, and still compresses without measuring", async () => {
    await saveModel(tinyConv().model, folder.at("conv.onnx"));
    const hooks = `export const resolve = (name, context, next) => {
      if (name !== "onnxruntime-node") return next(name, context);
      throw Object.assign(new Error("Cannot find package 'onnxruntime-node'"), { code: "ERR_MODULE_NOT_FOUND" });
    };`;
    const asUrl = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
    const hidden = `import { register } from "node:module"; register(${JSON.stringify(asUrl(hooks))});`;
    const without = (...args: string[]) =>
      spawnSync(process.execPath, ["--import", asUrl(hidden), bin, "compress", "conv.onnx", ...args], {
        cwd: folder.at(),
        encoding: "utf8",
        // pnpm's own shims put every package there
        env: { ...process.env, NODE_PATH: "" },
      });
    const { status, stderr } = without();
    expect(stderr).toMatch(/^espalier: MISSING_NEED .*npm install onnxruntime-node.*--no-measure/);
    expect([status, readdirSync(folder.at())]).toEqual([2, ["conv.onnx"]]);
    expect(without("--no-measure", "--recipe", "int8-weights").status).toBe(0);
  });
});

describe("Ctrl-C", () => {
  it("before there is a result: exit code 130, no file, no part of one", async () => {
    await saveModel(tinyConv().model, folder.at("conv.onnx"));
    slowData();
    const args = ["compress", "conv.onnx", "--recipe", "int8-static", "--data", "slow.mjs"];
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const { code, stdout, stderr } = await interrupted(args, /begun/, [signal]);
      expect(stderr).toMatch(/stopping; press Ctrl-C again/);
      expect(stderr).toMatch(/espalier: ABORTED /);
      expect([code, stdout]).toEqual([130, ""]);
      expect(readdirSync(folder.at()).sort()).toEqual(["conv.onnx", "slow.mjs"]);
    }
  });

  it("while auto searches: the best so far is written, and the report says that it was stopped", async () => {
    const args = ["compress", realModels.recogniser, "-o", "rec.onnx", "--json", "--target", "size"];
    const { code, stdout } = await interrupted(args, /auto 1\/\d+/, ["SIGINT"]);
    const document = JSON.parse(stdout);
    expect([code, document.stopped, document.candidates.length]).toEqual([0, true, expect.any(Number)]);
    expect(document.output.bytes).toBe(readFileSync(folder.at("rec.onnx")).length);
    expect(document.output.bytes).toBeLessThanOrEqual(10_822_323 / 2);
    expect(readdirSync(folder.at())).toEqual(["rec.onnx"]);
  });

  it("twice ends at once: exit code 130", async () => {
    await saveModel(tinyConv().model, folder.at("conv.onnx"));
    writeFileSync(
      folder.at("stuck.mjs"),
      `export async function* calibration() {
         process.stderr.write("begun\\n");
         await new Promise((resolve) => setTimeout(resolve, 60_000));
       }`,
    );
    const args = ["compress", "conv.onnx", "--recipe", "int8-static", "--data", "stuck.mjs"];
    const start = performance.now();
    const { code } = await interrupted(args, /begun/, ["SIGINT", "SIGINT"]);
    expect(code).toBe(130);
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(readdirSync(folder.at()).sort()).toEqual(["conv.onnx", "stuck.mjs"]);
  });
});

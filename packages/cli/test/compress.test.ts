import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openModel, saveModel } from "@espalier/core";
import { gaussian, tinyConv, tinyMlp } from "@espalier/core/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { floats, npzBytes } from "./npz-bytes.ts";
import { realModels } from "./real-models.ts";
import { type Ran, runMain } from "./run-main.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();
const run = (...args: string[]) => runMain(folder.at(), args);
const demoData = fileURLToPath(new URL("../../../demo/ocr.data.mjs", import.meta.url));

/** Three samples of tinyConv's input in a .npz file. */
const convData = () => {
  const samples = [1, 2, 3].flatMap((seed) => [...gaussian([1, 3, 12, 12], seed).data]);
  writeFileSync(folder.at("calib.npz"), npzBytes({ x: floats([3, 3, 12, 12], samples) }, { level: 6 }));
};

describe("compress on a real model, by auto and without data", () => {
  let ran: Ran;
  let bytes: Buffer;
  beforeAll(async () => {
    const out = folder.outside("cls.onnx");
    // latency hangs on what else the machine does; bytes and fidelity do not
    ran = await run("compress", realModels.classifier, "-o", out, "--target", "size", "--json");
    bytes = readFileSync(out);
  }, 60_000);

  it("takes at most half the bytes, within the fidelity that auto keeps", () => {
    expect(ran.code).toBe(0);
    const document = JSON.parse(ran.stdout);
    expect(document.input.bytes).toBe(578_966);
    expect(document.output.bytes).toBe(bytes.length);
    expect(bytes.length).toBeLessThanOrEqual(578_966 / 2);
    expect(document.fidelity["softmax_0.tmp_0"].relativeL2).toBeLessThanOrEqual(0.1);
    expect(document.data).toBe("generated");
    expect(document.warnings.join()).toMatch(/generated inputs/);
  });

  it("gives one JSON document with sizes, layers, fidelity, latency, time, memory and every candidate", () => {
    const document = JSON.parse(ran.stdout);
    const names = "input output recipe layers fidelity latency seconds peakRssBytes warnings candidates".split(" ");
    expect(Object.keys(document)).toEqual(expect.arrayContaining(names));
    expect(document.output).toEqual({
      path: expect.any(String),
      bytes: expect.any(Number),
      brotli: expect.any(Number),
    });
    expect(document.candidates.map(({ recipe }: { recipe: string }) => recipe)).toContain("int8-static");
    for (const layer of document.layers) expect(["changed", "skipped", "note"]).toContain(layer.action);
    expect(document.latency.before.median).toBeGreaterThan(0);
  });

  it("says what it does on stderr, in plain lines", () => {
    expect(ran.stderr).toMatch(/^auto\n/);
    expect(ran.stderr).not.toContain("\r");
  });
});

describe("compress with data", () => {
  it("calibrates from .npz, scores by a module, and keeps --max-drop", async () => {
    await saveModel(tinyConv().model, folder.at("conv.onnx"));
    convData();
    const first = await run("compress", "conv.onnx", "--recipe", "int8-static", "--data", "calib.npz", "--json");
    expect(first.stderr).not.toMatch(/espalier:/);
    expect(first.code).toBe(0);
    expect(JSON.parse(first.stdout).data).toBe("given");

    writeFileSync(
      folder.at("data.mjs"),
      `const feed = (seed) => ({ x: { type: "float32", dims: [1, 3, 12, 12], data: Float32Array.from({ length: 432 }, (_, i) => Math.sin(i * seed)) } });
       export function* calibration() { for (const seed of [1, 2, 3]) yield feed(seed); }
       let first;
       export const evaluate = async (run) => {
         const { y } = await run(feed(4));
         first ??= y.data;
         return { distance: { value: Math.hypot(...y.data.map((v, i) => v - first[i])), better: "lower" } };
       };`,
    );
    const args = ["compress", "conv.onnx", "--recipe", "int4-all", "--data", "data.mjs", "--json", "--force"];
    const good = await run(...args, "--max-drop", "100");
    expect(good.code).toBe(0);
    expect(JSON.parse(good.stdout).metrics.before.distance).toEqual({ value: 0, better: "lower" });
    const bad = await run(...args, "--max-drop", "1e-9", "-o", "bad.onnx");
    expect(bad.code).toBe(4);
    expect(JSON.parse(bad.stdout).met).toBe(false);
    expect(existsSync(folder.at("bad.onnx"))).toBe(true);
  });

  it("without data, calibrated recipes are refused with what to give: exit code 2, nothing written", async () => {
    await saveModel(tinyConv().model, folder.at("conv.onnx"));
    const { code, stderr } = await run("compress", "conv.onnx", "--recipe", "int8-static");
    expect(stderr).toMatch(/^(.*\n)*espalier: MISSING_NEED .*calibration/);
    expect(code).toBe(2);
    expect(existsSync(folder.at("conv.int8-static.onnx"))).toBe(false);
  });

  it("reads the recogniser of the demo through its data module, to at most 2.95 MB in 8 bits", async () => {
    const out = folder.at("rec.onnx");
    const { code, stdout } = await run(
      "compress",
      realModels.recogniser,
      "-o",
      out,
      "--recipe",
      "int8-weights",
      "--no-measure",
      "--data",
      demoData,
      "--json",
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout).output.bytes).toBeLessThanOrEqual(2_950_000);
    expect(JSON.parse(stdout).fidelity).toBeUndefined();
  });
});

describe("a recipe file", () => {
  it("names the output, and may name a pass in a file beside it", async () => {
    await saveModel(tinyMlp().model, folder.at("mlp.onnx"));
    writeFileSync(
      folder.at("halve.mjs"),
      `export const halve = ({ by = 2 } = {}) => ({
         name: "mine/halve",
         stage: "prepare",
         apply: (model, ctx) => {
           ctx.report({ pass: "mine/halve", layer: "all", action: "changed", form: "halved by " + by });
           const weights = new Map([...model.graph.weights].map(([name, w]) => [name, { type: w.type, dims: w.dims, data: w.data.map((v) => v / by) }]));
           return { ...model, graph: { ...model.graph, weights } };
         },
       });`,
    );
    const passes = [{ pass: "./halve.mjs/halve", options: { by: 4 } }];
    writeFileSync(folder.at("recipe.json"), JSON.stringify({ name: "mine", passes }));
    const { code, stdout } = await run("compress", "mlp.onnx", "--recipe", "recipe.json", "--no-measure", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout).recipe).toBe("mine");
    const [before, after] = [await openModel(folder.at("mlp.onnx")), await openModel(folder.at("mlp.mine.onnx"))];
    const first = (model: typeof before) => Number(model.graph.weights.get("w1")?.data[0]);
    expect(first(after)).toBeCloseTo(first(before) / 4, 6);
  });

  it("whose budget is not met gives exit code 4, and the result is still written", async () => {
    await saveModel(tinyMlp().model, folder.at("mlp.onnx"));
    const passes = [{ pass: "@espalier/quant/rtn", options: { bits: 8 } }];
    writeFileSync(folder.at("recipe.json"), JSON.stringify({ name: "tight", budget: { bytes: 100 }, passes }));
    const { code, stdout } = await run("compress", "mlp.onnx", "--recipe", "recipe.json", "--no-measure");
    expect(code).toBe(4);
    expect(stdout).toMatch(/! budget not kept: bytes/);
    expect(existsSync(folder.at("mlp.tight.onnx"))).toBe(true);
  });
});

describe("the same command twice", () => {
  const cases = [["int8-weights"], ["int4-all"], ["int8"], ["fp16"], ["int8-static", "--data", "calib.npz"]];
  for (const [recipe, ...more] of cases) {
    it(`${recipe}: the same bytes`, async () => {
      await saveModel(tinyConv().model, folder.at("conv.onnx"));
      convData();
      const once = async (out: string) => {
        const { code } = await run("compress", "conv.onnx", "-o", out, "--recipe", recipe, "--no-measure", ...more);
        expect(code).toBe(0);
        return readFileSync(folder.at(out));
      };
      expect((await once("a.onnx")).equals(await once("b.onnx"))).toBe(true);
    });
  }
});

describe("compress of a folder as transformers.js reads it", () => {
  const make = async () => {
    mkdirSync(folder.at("net/onnx"), { recursive: true });
    writeFileSync(folder.at("net/config.json"), JSON.stringify({ model_type: "bert" }));
    writeFileSync(folder.at("net/tokenizer.json"), "{}");
    await saveModel(tinyMlp().model, folder.at("net/onnx/model.onnx"));
  };
  const config = (name: string) => JSON.parse(readFileSync(folder.at(name, "config.json"), "utf8"));

  it("writes such a folder, named after the recipe, with the dtype that the weights have", async () => {
    await make();
    const { code, stdout } = await run("compress", "net", "--recipe", "int8-weights", "--no-measure");
    expect(code).toBe(0);
    expect(stdout).toContain("net-int8-weights/onnx/model_quantized.onnx");
    expect(config("net-int8-weights")["transformers.js_config"]).toEqual({ dtype: { model: "q8" } });
    expect(existsSync(folder.at("net-int8-weights/tokenizer.json"))).toBe(true);
    expect((await run("inspect", "net")).code).toBe(0);
  });

  it("adds to a folder that is there by --force only, and takes --dtype", async () => {
    await make();
    await run("compress", "net", "--recipe", "int8-weights", "--no-measure");
    const args = ["compress", "net", "--recipe", "fp16", "--no-measure", "-o", "net-int8-weights"];
    expect((await run(...args)).stderr).toMatch(/there already/);
    expect((await run(...args, "--force", "--dtype", "q4f16")).code).toBe(0);
    expect(existsSync(folder.at("net-int8-weights/onnx/model_q4f16.onnx"))).toBe(true);
    expect(existsSync(folder.at("net-int8-weights/onnx/model_quantized.onnx"))).toBe(true);
  });

  it("refuses a dtype that is none, and --file for a file", async () => {
    await make();
    expect((await run("compress", "net", "--dtype", "int4", "--force")).code).toBe(2);
    expect((await run("compress", "net/onnx/model.onnx", "--file", "model")).code).toBe(2);
    expect((await run("compress", "net", "--file", "encoder_model")).code).toBe(3);
  });
});

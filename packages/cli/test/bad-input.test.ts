import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { saveModel, writeOnnx } from "@espalier/core";
import { tinyMlp } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { runMain } from "./run-main.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();
const run = (...args: string[]) => runMain(folder.at(), args);
const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489", "hex");

describe("a bad model: exit code 3, one line with the code, nothing written", () => {
  const whole = () => writeOnnx(tinyMlp().model);
  const cases: Readonly<Record<string, () => void | Promise<void>>> = {
    "that is not there": () => undefined,
    "of zero bytes": () => writeFileSync(folder.at("m.onnx"), ""),
    "that is a folder": () => mkdirSync(folder.at("m.onnx")),
    "that is a PNG": () => writeFileSync(folder.at("m.onnx"), PNG),
    "cut off": async () => writeFileSync(folder.at("m.onnx"), (await whole()).subarray(0, 5000)),
    "that is text": () => writeFileSync(folder.at("m.onnx"), "This is no model at all.\n".repeat(100)),
    "without its external data": async () => {
      await saveModel(tinyMlp().model, folder.at("n.onnx"), { externalData: true });
      writeFileSync(
        folder.at("m.onnx"),
        readFileSync(folder.at("n.onnx")).toString("latin1").replaceAll("n.onnx_data", "x.onnx_data"),
        "latin1",
      );
    },
  };
  for (const [what, make] of Object.entries(cases)) {
    it(what, async () => {
      await make();
      const before = readdirSync(folder.at());
      const commands = [
        ["compress", "m.onnx"],
        ["inspect", "m.onnx"],
        ["compare", "m.onnx", "m.onnx"],
      ];
      for (const args of commands) {
        const { code, stdout, stderr } = await run(...args, "--json");
        expect(stderr, args[0]).toMatch(/^espalier: [A-Z_]+ \[core\/(onnx|transformers)\] .*\.\n$/);
        const { error } = JSON.parse(stdout);
        expect(["NOT_FOUND", "BAD_PATH", "BAD_MODEL", "BAD_TENSOR"]).toContain(error.code);
        expect(code).toBe(3);
      }
      expect(readdirSync(folder.at())).toEqual(before);
    });
  }
});

describe("other bad input: exit code 3, nothing written", () => {
  const check = async (args: string[], message: RegExp) => {
    await saveModel(tinyMlp().model, folder.at("m.onnx"), { force: true });
    const before = readdirSync(folder.at());
    const { code, stderr } = await run("compress", "m.onnx", ...args);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(code).toBe(3);
    expect(readdirSync(folder.at())).toEqual(before);
  };

  it("data that is not there, or does not fit the model", async () => {
    await check(["--data", "calib.npz"], /BAD_DATA \[cli\/data\] "calib.npz" is not there/);
    writeFileSync(
      folder.at("d.mjs"),
      'export const calibration = [{ y: { type: "float32", dims: [1], data: new Float32Array(1) } }];',
    );
    await check(["--data", "d.mjs"], /BAD_DATA \[cli\/data\] "d.mjs" has "y" in sample 0, which is no input/);
  });

  it("a recipe file that is not there, is no JSON, or is no recipe, everything wrong at once", async () => {
    await check(["--recipe", "mine.json"], /BAD_RECIPE \[cli\] "mine.json" cannot be read: ENOENT/);
    writeFileSync(folder.at("mine.json"), "{ passes: [] }");
    await check(["--recipe", "mine.json"], /BAD_RECIPE \[cli\] "mine.json" cannot be read: .*JSON/);
    writeFileSync(folder.at("mine.json"), JSON.stringify({ passs: [], budget: { bites: 3 } }));
    await check(["--recipe", "mine.json"], /BAD_RECIPE .*"passs".*lacks "name".*"bites"/);
    const passes = [{ pass: "@espalier/quant/rtn", options: { bitz: 4 } }, { pass: "espalier-pass-none/x" }];
    writeFileSync(folder.at("mine.json"), JSON.stringify({ name: "mine", passes }));
    await check(
      ["--recipe", "mine.json", "--no-measure"],
      /BAD_RECIPE .*"bitz"; did you mean "bits".*espalier-pass-none/,
    );
  });
});

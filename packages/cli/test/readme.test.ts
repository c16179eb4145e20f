import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { saveModel } from "@espalier/core";
import { tinyMlp } from "@espalier/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const bin = path("../dist/bin.js");

/** The code blocks of a README in a language, in order. */
const blocks = (readme: string, language: string): string[] =>
  [...readFileSync(path(readme), "utf8").matchAll(/```(\w+)\n([\s\S]*?)```/g)]
    .filter(([, found]) => found === language)
    .map(([, , text]) => text);

let folder: string;
const run = (...args: string[]) => spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });

beforeAll(async () => {
  // inside node_modules, so that the examples find the packages as a user's project does
  mkdirSync(path("../node_modules"), { recursive: true });
  folder = mkdtempSync(path("../node_modules/.readme-"));
  await saveModel(tinyMlp().model, join(folder, "model.onnx"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the examples of the READMEs run as they stand", () => {
  it("the library, from the repository's README", () => {
    const [library] = blocks("../../../README.md", "js");
    writeFileSync(join(folder, "library.mjs"), library);
    const { status, stdout, stderr } = run("library.mjs");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^[\w-]+ \d+ [\d.]+\n$/);
    expect(existsSync(join(folder, "small.onnx"))).toBe(true);
  });

  it("a pass of one's own and its recipe, from the repository's README", () => {
    const [, pass] = blocks("../../../README.md", "js");
    const [recipe] = blocks("../../../README.md", "json");
    writeFileSync(join(folder, "prune.mjs"), pass);
    writeFileSync(join(folder, "mine.json"), recipe);
    const { status, stdout } = run(bin, "compress", "model.onnx", "--recipe", "mine.json", "--json");
    const { layers, met, output } = JSON.parse(stdout);
    expect([status, met, output.path]).toEqual([0, true, "model.mine.onnx"]);
    const forms = layers.map(({ form }: { form?: string }) => form);
    expect(forms).toContain("zeros below 0.02");
  });

  it("a data module, and the command from code, from the command's README", () => {
    const [data, code] = blocks("../README.md", "js");
    writeFileSync(join(folder, "data.mjs"), data);
    const measured = run(bin, "compress", "model.onnx", "--recipe", "int8-weights", "--data", "data.mjs", "--json");
    expect(measured.status).toBe(0);
    expect(JSON.parse(measured.stdout).metrics.before.largest.better).toBe("higher");
    rmSync(join(folder, "model.int8-weights.onnx"));
    writeFileSync(
      join(folder, "code.mjs"),
      `${code.replace('"espalier"', JSON.stringify(path("../dist/index.js")))}\nprocess.exit(code);`,
    );
    expect(run("code.mjs").status).toBe(0);
    expect(existsSync(join(folder, "model.int8-weights.onnx"))).toBe(true);
  });
});

import { copyFileSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { saveModel } from "@espalier/core";
import { tinyMlp } from "@espalier/core/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { runMain } from "./run-main.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();
const run = (...args: string[]) => runMain(folder.at(), args);

beforeEach(async () => {
  await saveModel(tinyMlp().model, folder.at("mlp.onnx"));
});

describe("the command line", () => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [["compres", "mlp.onnx"], /unknown command "compres"\. Did you mean compress\?/],
    [["compress", "mlp.onnx", "--recipie", "int8"], /unknown option "--recipie"\. Did you mean --recipe\?/],
    [["compress"], /missing required argument "model"/],
    [["compress", "mlp.onnx", "--recipe", "int9"], /no recipe "int9"\. Did you mean "int8"\?/],
    [["compress", "mlp.onnx", "--target", "phone"], /"phone" is invalid\. Allowed choices are node, web, size/],
    [["compress", "mlp.onnx", "--seed", "1.5"], /"1\.5" is invalid\. Give a whole number/],
    [["compress", "mlp.onnx", "--threads", "0"], /"0" is invalid\. Give a whole number of at least 1/],
    [["compress", "mlp.onnx", "--max-drop", "-1"], /"-1" is invalid\. Give a number of at least 0/],
    [["compress", "mlp.onnx", "--max-drop", "0.1", "--no-measure"], /--max-drop needs measuring/],
    [["compress", "mlp.onnx", "more.onnx"], /too many arguments/],
    [["compress", "mlp.onnx", "-o", "nowhere/out.onnx"], /no folder ".*nowhere"/],
    [["compare", "mlp.onnx"], /missing required argument "b"/],
  ];
  for (const [args, message] of cases) {
    it(`espalier ${args.join(" ")}: one line on stderr, exit code 2`, async () => {
      const { code, stdout, stderr } = await run(...args);
      expect(stderr).toMatch(message);
      expect(stderr).toMatch(/^espalier: BAD_OPTION \[cli\] .*\n$/);
      expect([code, stdout]).toEqual([2, ""]);
    });
  }

  it("with --json an error is one JSON document on stdout too", async () => {
    const { code, stdout, stderr } = await run("compress", "mlp.onnx", "--recipe", "int9", "--json");
    const { error } = JSON.parse(stdout);
    expect(error.code).toBe("BAD_OPTION");
    expect(stderr).toBe(`espalier: BAD_OPTION ${error.message}\n`);
    expect(code).toBe(2);
  });

  it("help and the version are no errors", async () => {
    for (const args of [[], ["--help"], ["compress", "--help"], ["help", "compress"]]) {
      const { code, stdout, stderr } = await run(...args);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toMatch(/^Usage: espalier/);
    }
    expect((await run("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("espalier recipes lists them, and as JSON gives them as they are", async () => {
    expect((await run("recipes")).stdout).toMatch(/ {2}int8-weights +Weights stored in 8 bits/);
    const { stdout } = await run("recipes", "--json");
    const names = JSON.parse(stdout).map(({ name }: { name: string }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["auto", "int8", "int8-static", "int8-weights", "int4", "int4-all", "fp16"]),
    );
  });
});

describe("the output", () => {
  const plain = ["compress", "mlp.onnx", "--recipe", "int8-weights", "--no-measure"];

  it("goes to NAME.RECIPE.onnx beside the model, into a folder, or where -o says", async () => {
    mkdirSync(folder.at("out"));
    for (const [args, path] of [
      [[], "mlp.int8-weights.onnx"],
      [["-o", "out"], "out/mlp.int8-weights.onnx"],
      [["-o", "out/small.onnx"], "out/small.onnx"],
    ] as const) {
      const { code, stdout } = await run(...plain, ...args, "--json");
      expect(code).toBe(0);
      expect(JSON.parse(stdout).output.path).toBe(path);
      expect(readFileSync(folder.at(path)).length).toBe(JSON.parse(stdout).output.bytes);
    }
  });

  it("is replaced only with --force", async () => {
    writeFileSync(folder.at("mlp.int8-weights.onnx"), "mine");
    const refused = await run(...plain);
    expect(refused.stderr).toMatch(/^espalier: EXISTS .*--force\.\n$/);
    expect(refused.code).toBe(2);
    expect(readFileSync(folder.at("mlp.int8-weights.onnx"), "utf8")).toBe("mine");
    expect((await run(...plain, "--force")).code).toBe(0);
    expect(readFileSync(folder.at("mlp.int8-weights.onnx"), "utf8")).not.toBe("mine");
  });

  it("is never the model itself, by whatever path, link or spelling, --force or not", async () => {
    mkdirSync(folder.at("sub"));
    symlinkSync(folder.at("mlp.onnx"), folder.at("soft.onnx"));
    linkSync(folder.at("mlp.onnx"), folder.at("hard.onnx"));
    symlinkSync(folder.at(), folder.at("sub/up"));
    const before = readFileSync(folder.at("mlp.onnx"));
    for (const out of [
      "mlp.onnx",
      "./sub/../mlp.onnx",
      folder.at("mlp.onnx"),
      "soft.onnx",
      "hard.onnx",
      "sub/up/mlp.onnx",
    ]) {
      const { code, stderr } = await run(...plain, "-o", out, "--force");
      expect(stderr, out).toMatch(/would overwrite the model/);
      expect(code).toBe(2);
    }
    expect(readFileSync(folder.at("mlp.onnx")).equals(before)).toBe(true);
  });

  it("is never the external data of the model", async () => {
    await saveModel(tinyMlp().model, folder.at("big.onnx"), { externalData: true });
    copyFileSync(folder.at("big.onnx"), folder.at("copy.onnx"));
    symlinkSync(folder.at("big.onnx_data"), folder.at("other.onnx_data"));
    const before = readFileSync(folder.at("big.onnx_data"));
    for (const out of ["big.onnx_data", "other.onnx"]) {
      const { code, stderr } = await run(
        "compress",
        "big.onnx",
        "--recipe",
        "fp16",
        "--no-measure",
        "-o",
        out,
        "--force",
      );
      expect(stderr).toMatch(/would overwrite the model/);
      expect(code).toBe(2);
    }
    expect(readFileSync(folder.at("big.onnx_data")).equals(before)).toBe(true);
  });

  it("keeps external data where the model had it, and counts all files", async () => {
    await saveModel(tinyMlp().model, folder.at("big.onnx"), { externalData: true });
    const { code, stdout } = await run("compress", "big.onnx", "--recipe", "int8-weights", "--no-measure", "--json");
    expect(code).toBe(0);
    const files = ["big.int8-weights.onnx", "big.int8-weights.onnx_data"];
    const bytes = files.reduce((sum, file) => sum + readFileSync(folder.at(file)).length, 0);
    expect(JSON.parse(stdout).output.bytes).toBe(bytes);
  });
});

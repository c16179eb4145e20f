import { mkdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../test/temporary-folder.ts";
import { importer } from "./import-module.ts";

const folder = temporaryFolder();

const install = (name: string, manifest: object, files: Readonly<Record<string, string>>) => {
  const at = (file: string) => folder.at("node_modules", name, file);
  mkdirSync(at("dist"), { recursive: true });
  writeFileSync(at("package.json"), JSON.stringify({ name, version: "1.0.0", type: "module", ...manifest }));
  for (const [file, text] of Object.entries(files)) writeFileSync(at(file), text);
};
const load = async (name: string) => (await importer(folder.at())(name)).found;

describe("modules that recipes name are found", () => {
  it("among the command's own packages", async () => {
    expect(typeof (await importer(folder.at())("@espalier/quant")).rtn).toBe("function");
  });

  it("where the user works: main, exports, subpaths, and packages that can only be imported", async () => {
    install("espalier-pass-main", { main: "dist/a.js" }, { "dist/a.js": 'export const found = "main";' });
    const only = {
      ".": { types: "./dist/a.d.ts", import: { node: "./dist/a.js" } },
      "./deep": { import: "./dist/b.js" },
    };
    const files = { "dist/a.js": 'export const found = "root";', "dist/b.js": 'export const found = "deep";' };
    install("@mine/espalier-pass-only", { exports: only }, files);
    install("espalier-pass-short", { exports: { import: "./dist/a.js" } }, files);
    expect(await load("espalier-pass-main")).toBe("main");
    expect(await load("@mine/espalier-pass-only")).toBe("root");
    expect(await load("@mine/espalier-pass-only/deep")).toBe("deep");
    expect(await load("espalier-pass-short")).toBe("root");
  });

  it("as files beside the recipe", async () => {
    writeFileSync(folder.at("mine.mjs"), 'export const found = "mine";');
    expect(await load("./mine.mjs")).toBe("mine");
  });

  it("and are refused where they are not there, or import what is not", async () => {
    await expect(load("espalier-pass-nowhere")).rejects.toThrow("espalier-pass-nowhere");
    install("espalier-pass-broken", { main: "dist/a.js" }, { "dist/a.js": 'import "espalier-missing";' });
    await expect(load("espalier-pass-broken")).rejects.toThrow("espalier-missing");
    await expect(load("./none.mjs")).rejects.toThrow("none.mjs");
  });
});

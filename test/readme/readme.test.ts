import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { realModels } from "../../packages/core/test/real-models.ts";
import { examples, packages, root } from "./examples.ts";

const run = promisify(execFile);
const typescript = new URL("../typescript.mjs", import.meta.url).href;
/** Within the tests' package, so that the examples find onnxruntime. */
const place = fileURLToPath(new URL("../node_modules/.readme/", import.meta.url));

describe("examples of README files", () => {
  const found = examples();
  let folder: string;
  const fileOf = (index: number) => join(folder, String(index), "example.ts");
  beforeAll(() => {
    mkdirSync(place, { recursive: true });
    folder = mkdtempSync(place);
    for (const { name, folder: source } of packages()) {
      const link = join(folder, "node_modules", name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(source, link, "dir");
    }
    found.forEach(({ code }, index) => {
      mkdirSync(join(folder, String(index)));
      copyFileSync(realModels.classifier, join(folder, String(index), "model.onnx"));
      writeFileSync(fileOf(index), `${code}\nexport {};\n`);
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("are there", () => expect(found.length).toBeGreaterThan(2));

  it("have right types", async () => {
    const config = {
      extends: join(root, "tsconfig.base.json"),
      include: ["*/example.ts"],
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const errors = await run(process.execPath, [tsc, "-p", folder], { cwd: folder }).then(
      () => "",
      ({ stdout }: { stdout: string }) =>
        stdout.replace(/^(\d+)\/example\.ts/gm, (_, index) => found[Number(index)].where),
    );
    expect(errors).toBe("");
  });

  found.forEach(({ where, notRun }, index) => {
    const name = notRun === undefined ? `${where} runs beside a model.onnx` : `${where} (not run: ${notRun})`;
    it.skipIf(notRun !== undefined)(name, async () => {
      const args = ["--conditions=espalier-source", "--import", typescript, fileOf(index)];
      await run(process.execPath, args, { cwd: join(folder, String(index)) });
    });
  });
});

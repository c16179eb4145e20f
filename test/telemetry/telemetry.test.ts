import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

it("a session sends nothing: onnxruntime-node's telemetry, which keeps a store in the temporary folder, is off", () => {
  const folder = mkdtempSync(join(tmpdir(), "espalier-telemetry-"));
  // each of these switches it off by itself
  const { ORT_DISABLE_TELEMETRY: _off, CI: _ci, ...env } = process.env;
  const args = ["--conditions=espalier-source", "--import", file("../typescript.mjs"), file("one-session.ts")];
  try {
    execFileSync(process.execPath, args, { env: { ...env, TMPDIR: folder } });
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

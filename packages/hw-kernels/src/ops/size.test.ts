import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { emit } from "../runtime/compile.ts";
import { table } from "./table.ts";

const LIMIT_BYTES = 40 * 1024;

it("the modules of all variants together take at most 40 KB, gzipped", () => {
  const modules = table.flatMap(({ wasm }) => wasm.map((variant) => emit(variant, false)));
  expect(gzipSync(Buffer.concat(modules)).length).toBeLessThanOrEqual(LIMIT_BYTES);
});

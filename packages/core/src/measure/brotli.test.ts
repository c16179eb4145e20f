import { brotliCompressSync, constants } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { streamOnnx, writeOnnx } from "../onnx/write.ts";
import { tinyTransformer } from "../testing/index.ts";
import { brotliBytes } from "./brotli.ts";

afterEach(() => vi.unstubAllGlobals());

describe("brotliBytes", () => {
  it.each([4, 9, 11])("equals what zlib makes of the whole file at quality %i, to 0.5 %", async (quality) => {
    const { model } = tinyTransformer();
    const file = await writeOnnx(model);
    const whole = brotliCompressSync(file, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }).length;
    const found = await brotliBytes(streamOnnx(model), { quality });
    expect(Math.abs(found! - whole)).toBeLessThan(0.005 * whole);
    expect(whole).toBeLessThan(file.length);
  });

  it("stops when told to, passes on what the stream throws, and is undefined in a browser", async () => {
    const signal = AbortSignal.abort();
    await expect(brotliBytes([new Uint8Array(8)], { signal })).rejects.toMatchObject({ code: "ABORTED" });
    const failing = async function* () {
      yield new Uint8Array(8);
      throw new Error("the disk is gone");
    };
    await expect(brotliBytes(failing())).rejects.toThrow("the disk is gone");
    vi.stubGlobal("process", undefined);
    expect(await brotliBytes([new Uint8Array(8)])).toBeUndefined();
  });
});

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

  it("asks for a chunk only when the last ones went on: at most 1 MB ahead", async () => {
    let ahead = 0;
    let most = 0;
    const chunk = new Uint8Array(1 << 16);
    const chunks = function* () {
      for (let i = 0; i < 200; i++) {
        most = Math.max(most, ++ahead);
        yield chunk;
      }
    };
    const settle = setInterval(() => {
      ahead = 0;
    }, 0);
    await brotliBytes(chunks());
    clearInterval(settle);
    expect(most * chunk.length).toBeLessThanOrEqual(1 << 20);
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

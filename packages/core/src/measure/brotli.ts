import { checkAborted } from "../abort.ts";

export interface BrotliOptions {
  /** 0 to 11. 9 is about what servers use for files that they compress once. */
  readonly quality?: number;
  readonly signal?: AbortSignal;
}

const inNode = () =>
  (globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node !== undefined;

/**
 * Bytes of a file after brotli, which is what a browser downloads; undefined where there is no zlib (browsers). Give it
 * `streamOnnx(model)`: one chunk is in memory at a time.
 *
 * @throws EspalierError `ABORTED`
 */
export const brotliBytes = async (
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { quality = 9, signal }: BrotliOptions = {},
): Promise<number | undefined> => {
  if (!inNode()) return undefined;
  const { constants, createBrotliCompress } = await import("node:zlib");
  const { pipeline } = await import("node:stream/promises");
  const brotli = createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: quality } });
  const watched = async function* () {
    for await (const chunk of chunks) {
      checkAborted("core/measure", signal);
      yield chunk;
    }
  };
  let bytes = 0;
  await pipeline(watched, brotli, async (compressed) => {
    for await (const chunk of compressed as AsyncIterable<Uint8Array>) bytes += chunk.length;
  });
  return bytes;
};

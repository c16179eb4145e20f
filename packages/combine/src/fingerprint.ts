import { isEspalierError, type Model, streamOnnx } from "@espalier/core";

/** FNV-1a of 32 bits. Source: Fowler, Noll, Vo. */
const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/** Length and hash of the model's file: the same for models that are written alike. Undefined beyond 2 GB. */
export const fingerprint = async (model: Model): Promise<string | undefined> => {
  let [hash, length] = [OFFSET, 0];
  try {
    for await (const chunk of streamOnnx(model)) {
      for (let i = 0; i < chunk.length; i++) hash = Math.imul(hash ^ chunk[i]!, PRIME);
      length += chunk.length;
    }
  } catch (error) {
    if (isEspalierError(error) && error.code === "TOO_LARGE") return undefined;
    throw error;
  }
  return `${length} ${hash}`;
};

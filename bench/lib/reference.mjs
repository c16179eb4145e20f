import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, open, readFile, rename, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeRows, encodeRows, readBlock } from "./coded-rows.mjs";
import { floatModel } from "./places.mjs";

const HASH_DIGITS = 16;

const hashOf = async (path, feeds) => {
  const hash = createHash("sha256");
  for (const file of [path, `${path}_data`])
    if (existsSync(file)) for await (const chunk of createReadStream(file)) hash.update(chunk);
  for (const feed of feeds)
    for (const [name, { data }] of Object.entries(feed))
      hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex").slice(0, HASH_DIGITS);
};

/** The first output of the float32 model for each feed, one at a time. */
async function* outputsOf(path, feeds) {
  const { default: ort } = await import("onnxruntime-node");
  const session = await ort.InferenceSession.create(path);
  try {
    for (const feed of feeds) {
      const inputs = session.inputNames.map((name) => {
        const { type, data, dims } = feed[name];
        return [name, new ort.Tensor(type, data, dims)];
      });
      const name = session.outputNames[0];
      yield (await session.run(Object.fromEntries(inputs), [name]))[name];
    }
  } finally {
    await session.release();
  }
}

const placeOf = async (task, feeds, suffix) => {
  const path = floatModel(task);
  const folder = join(tmpdir(), "espalier-bench");
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${task}-${await hashOf(path, feeds)}.${suffix}`);
  return { path, file, partial: `${file}.${process.pid}` };
};

/**
 * One row a feed: what the float32 model of `task` gives, after `reduce` (a tensor to numbers). Kept in the system's
 * folder for temporary files, named by the hash of the model and the feeds, so that one machine computes it once.
 */
export const floatReference = async (task, feeds, reduce) => {
  const { path, file, partial } = await placeOf(task, feeds, "f32");
  const stored = await readFile(file).catch(() => undefined);
  if (stored) {
    const values = new Float32Array(new Uint8Array(stored).buffer);
    const size = values.length / feeds.length;
    return feeds.map((_, i) => values.subarray(i * size, (i + 1) * size));
  }
  const rows = [];
  for await (const output of outputsOf(path, feeds)) rows.push(Float32Array.from(reduce(output)));
  await writeFile(partial, Buffer.concat(rows.map((r) => Buffer.from(r.buffer))));
  await rename(partial, file);
  return rows;
};

/**
 * A function from the number of a feed to the first output of the float32 model, [..., width], for outputs too large to hold
 * all at once: kept as codes of 16 bits in a file like `floatReference`'s, of which one feed's are read at a time.
 */
export const floatOutputs = async (task, feeds) => {
  const { path, file, partial } = await placeOf(task, feeds, "u16");
  const widthFile = `${file}.json`;
  if (!(await stat(widthFile).catch(() => undefined))) {
    const out = await open(partial, "w");
    let width = 0;
    for await (const { data, dims } of outputsOf(path, feeds)) {
      width = dims.at(-1);
      await out.write(encodeRows(data, width));
    }
    await out.close();
    await rename(partial, file);
    await writeFile(widthFile, JSON.stringify(width));
  }
  const width = JSON.parse(await readFile(widthFile, "utf8"));
  return async (index) => decodeRows(await readBlock(file, index, feeds.length), width);
};

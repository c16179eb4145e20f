import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { floatModel } from "./places.mjs";

const HASH_DIGITS = 16;

const hashOf = async (path, feeds) => {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  for (const feed of feeds)
    for (const [name, { data }] of Object.entries(feed))
      hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex").slice(0, HASH_DIGITS);
};

const compute = async (path, feeds, reduce) => {
  const { default: ort } = await import("onnxruntime-node");
  const session = await ort.InferenceSession.create(path);
  const rows = [];
  for (const feed of feeds) {
    const inputs = session.inputNames.map((name) => {
      const { type, data, dims } = feed[name];
      return [name, new ort.Tensor(type, data, dims)];
    });
    const outputs = await session.run(Object.fromEntries(inputs));
    rows.push(Float32Array.from(reduce(outputs[session.outputNames[0]])));
  }
  await session.release();
  return rows;
};

/**
 * One row a feed: what the float32 model of `task` gives, after `reduce` (a tensor to numbers). Kept in the system's
 * folder for temporary files, named by the hash of the model and the feeds, so that one machine computes it once.
 */
export const floatReference = async (task, feeds, reduce) => {
  const path = floatModel(task);
  const folder = join(tmpdir(), "espalier-bench");
  const file = join(folder, `${task}-${await hashOf(path, feeds)}.f32`);
  const stored = await readFile(file).catch(() => undefined);
  if (stored) {
    const values = new Float32Array(new Uint8Array(stored).buffer);
    const size = values.length / feeds.length;
    return feeds.map((_, i) => values.subarray(i * size, (i + 1) * size));
  }
  const rows = await compute(path, feeds, reduce);
  await mkdir(folder, { recursive: true });
  const partial = `${file}.${process.pid}`;
  await writeFile(partial, Buffer.concat(rows.map((r) => Buffer.from(r.buffer))));
  await rename(partial, file);
  return rows;
};

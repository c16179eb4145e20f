// node scripts/dev/round-trip.mjs DIR: reads every .onnx of DIR and writes it to DIR/out four times: untouched, as a
// copy that shares nothing with what was read, with its initializers made anew from their decoded elements, and after
// an edit that changes nothing. See onnx-cases.py.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as core from "../../packages/core/dist/index.js";

const folder = process.argv[2];
const out = join(folder, "out");
await mkdir(out, { recursive: true });

/** Plain data all the way down is copied; lazy tensors, and the messages in `extra.origin`, are kept. */
const copy = (value) => {
  if (Array.isArray(value)) return value.map(copy);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, copy(item)]));
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  if ("dims" in value && "type" in value) return value;
  if ("$typeName" in value) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copy(item)]));
};

const ways = {
  plain: (model) => model,
  copied: (model) => ({ ...copy(model), opsets: model.opsets }),
  rebuilt: async (model) => {
    const weights = new Map();
    for (const [name, { type, dims, ...rest }] of model.graph.weights)
      weights.set(name, { type, dims, data: rest.getData ? await rest.getData() : rest.data });
    return { ...model, graph: { ...model.graph, weights } };
  },
  edited: (model) => core.edit(model, () => {}),
};

const failures = [];
for (const file of (await readdir(folder)).filter((name) => name.endsWith(".onnx"))) {
  const bytes = new Uint8Array(await readFile(join(folder, file)));
  for (const [kind, change] of Object.entries(ways))
    try {
      const written = await core.writeOnnx(await change(await core.readOnnx(bytes)));
      await writeFile(join(out, `${file}.${kind}`), written);
    } catch (error) {
      failures.push(`${kind} ${file}: ${error.message}`);
    }
}
console.log(`${failures.length} failures`);
for (const line of failures) console.log(line);
process.exitCode = failures.length ? 1 : 0;

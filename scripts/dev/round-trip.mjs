// node scripts/dev/round-trip.mjs DIR: reads every .onnx of DIR and writes it to DIR/out in each of the ways below. See
// onnx-cases.py.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as core from "../../packages/core/dist/index.js";

const folder = process.argv[2];
const out = join(folder, "out");
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const isTensor = (value) => "dims" in value && "type" in value && !("indices" in value);

/**
 * A copy that shares no object with `value`, so that the encoder has to make everything. `tensor` copies the tensors;
 * `bare` leaves out the messages in `extra.origin`, and with them docs and fields that Espalier does not know.
 */
const copy = async (value, tensor, bare = false) => {
  const inner = (item) => copy(item, tensor, bare);
  if (Array.isArray(value)) return Promise.all(value.map(inner));
  if (value instanceof Map)
    return new Map(await Promise.all([...value].map(async ([key, item]) => [key, await inner(item)])));
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value) || "$typeName" in value) return value;
  if (isTensor(value)) return tensor(value);
  const entries = Object.entries(value).filter(([key]) => !(bare && key === "origin"));
  return Object.fromEntries(await Promise.all(entries.map(async ([key, item]) => [key, await inner(item)])));
};
const same = (tensor) => tensor;
const decoded = async (tensor) => ({ type: tensor.type, dims: tensor.dims, data: await core.readData(tensor) });

const renamed = (model) => {
  const at = model.graph.inputs.findIndex(({ name }) => !model.graph.weights.has(name));
  if (at < 0) return model;
  const { name } = model.graph.inputs[at];
  const away = core.edit(model, (draft) => draft.graph.rename(name, draft.graph.uniqueName("renamed")));
  return core.edit(away, (draft) => draft.graph.rename(away.graph.inputs[at].name, name));
};

/** Whether the way starts from bytes or from the file, what it does to the model, and how it saves. */
const ways = {
  plain: { change: same },
  edited: { change: (model) => core.edit(model, () => {}) },
  renamed: { change: renamed },
  copied: { change: (model) => copy(model, same) },
  touched: { change: (model) => copy(model, decoded) },
  bare: { change: (model) => copy(model, decoded, true) },
  saved: { change: same, save: {} },
  resaved: { change: (model) => copy(model, decoded), save: {} },
  outside: { change: same, save: { externalData: true } },
};

const failures = [];
for (const file of (await readdir(folder)).filter((name) => name.endsWith(".onnx"))) {
  const path = join(folder, file);
  const bytes = new Uint8Array(await readFile(path));
  for (const [way, { change, save }] of Object.entries(ways))
    try {
      const target = join(out, `${file}.${way}`);
      if (save) await core.saveModel(await change(await core.openModel(path)), target, save);
      else await writeFile(target, await core.writeOnnx(await change(core.readOnnx(bytes))));
    } catch (error) {
      failures.push(`${way} ${file}: ${error.stack}`);
    }
}
console.log(`${failures.length} failures`);
for (const line of failures) console.log(line);
process.exitCode = failures.length ? 1 : 0;

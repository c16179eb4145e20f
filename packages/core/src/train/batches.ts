import { EspalierError } from "../errors.ts";
import type { Rng } from "../numeric/rng.ts";
import type { LabelledBatch as Batch, Training } from "../pass.ts";
import { arrayLengthOf, readData, sizeOf, type Tensor } from "../tensor.ts";

const badData = (what: string) => new EspalierError("BAD_DATA", "core/train", what);

/** Named tensors of a batch, to be cut and joined alike. */
const flat = ({ feeds, labels }: Batch): [string, Tensor][] => {
  const own: [string, Tensor][] =
    labels !== undefined && "values" in labels
      ? [
          ["labels/values", labels.values],
          ["labels/lengths", labels.lengths],
        ]
      : [["labels", labels as Tensor]];
  return [...Object.entries(feeds).map(([name, t]): [string, Tensor] => [`feeds/${name}`, t]), ...own];
};

const batchOf = (tensors: ReadonlyMap<string, Tensor>): Batch => {
  const feeds: Record<string, Tensor> = {};
  for (const [name, t] of tensors) if (name.startsWith("feeds/")) feeds[name.slice("feeds/".length)] = t;
  const labels = tensors.get("labels");
  const [values, lengths] = [tensors.get("labels/values"), tensors.get("labels/lengths")];
  return { feeds, labels: labels ?? { values: values as Tensor, lengths: lengths as Tensor } };
};

const check = (batch: Batch, at: number): number => {
  if (typeof batch !== "object" || batch === null || !batch.feeds || batch.labels === undefined)
    throw badData(`batch ${at} has no feeds and labels. Give { feeds, labels }.`);
  const tensors = flat(batch);
  for (const [name, t] of tensors)
    if (
      t?.type === undefined ||
      !Array.isArray(t.dims) ||
      t.data === undefined ||
      arrayLengthOf(t.type, t.dims) !== t.data.length
    )
      throw badData(`${name} of batch ${at} is no tensor { type, dims, data } with as much data as its dims say.`);
  // numbers that go with the whole batch (a sampling rate) have no axes
  const counts = tensors.filter(([, { dims }]) => dims.length > 0);
  const samples = counts.find(([name]) => name.startsWith("labels"))?.[1].dims[0] ?? 1;
  const other = counts.find(([name, { dims }]) => name.startsWith("labels") && dims[0] !== samples);
  if (other) throw badData(`${other[0]} of batch ${at} has ${other[1].dims[0]} samples, the labels ${samples}.`);
  return samples;
};

const rows = (t: Tensor, from: number, to: number): Tensor => {
  if (t.dims.length === 0) return t;
  const width = sizeOf(t.dims.slice(1));
  const data = (t.data as Float32Array).slice(from * width, to * width);
  return { type: t.type, dims: [to - from, ...t.dims.slice(1)], data } as Tensor;
};

const joined = (name: string, parts: readonly Tensor[]): Tensor => {
  const [first] = parts;
  if (parts.length === 1 || first.dims.length === 0) return first;
  const odd = parts.find((t) => t.type !== first.type || t.dims.slice(1).join() !== first.dims.slice(1).join());
  if (odd)
    throw badData(
      `${name} comes as [${first.dims}] and as [${odd.dims}]. Give samples of one size, or leave batchSize out.`,
    );
  const count = parts.reduce((sum, t) => sum + t.dims[0], 0);
  const from = first.data.constructor as unknown as { new (length: number): Float32Array };
  const data = new from(count * sizeOf(first.dims.slice(1)));
  let at = 0;
  for (const t of parts) {
    data.set(t.data as Float32Array, at);
    at += t.data.length;
  }
  return { type: first.type, dims: [count, ...first.dims.slice(1)], data } as Tensor;
};

/**
 * The batches of an epoch, as they come or of `batchSize` samples each; what is left at the end is dropped.
 *
 * @throws EspalierError `BAD_DATA` for what is no batch
 */
export async function* batchesOf(
  training: Training,
  { epoch, rng, batchSize }: { readonly epoch: number; readonly rng: Rng; readonly batchSize?: number | undefined },
): AsyncGenerator<Batch> {
  let [held, kept]: [[string, Tensor][][], number] = [[], 0];
  let at = 0;
  for await (const given of training({ epoch, rng })) {
    const samples = check(given, at++);
    if (batchSize === undefined) {
      yield given;
      continue;
    }
    const tensors = await Promise.all(
      flat(given).map(
        async ([name, t]) =>
          [name, { type: t.type, dims: t.dims, data: await readData(t) } as Tensor] as [string, Tensor],
      ),
    );
    held.push(tensors);
    kept += samples;
    if (kept < batchSize) continue;
    const all = new Map(
      held[0].map(([name], i) => [
        name,
        joined(
          name,
          held.map((part) => part[i][1]),
        ),
      ]),
    );
    let from = 0;
    for (; from + batchSize <= kept; from += batchSize)
      yield batchOf(new Map([...all].map(([name, t]) => [name, rows(t, from, from + batchSize)])));
    held = from === kept ? [] : [[...all].map(([name, t]) => [name, rows(t, from, kept)] as [string, Tensor])];
    kept -= from;
  }
}

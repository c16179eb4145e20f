import { type Feeds, sizeOf, type Tensor } from "@espalier/core";
import { badData } from "../errors.ts";
import type { ByteReader } from "./byte-reader.ts";
import { checkFeeds, checkSignature } from "./check-feeds.ts";
import type { InputSpec } from "./model-inputs.ts";
import { npyData } from "./npy.ts";
import { type NpzArray, npzArrays, wholeArray } from "./npz-array.ts";

/** How an array is cut into feeds, each a tensor of `dims`. */
interface Cut {
  readonly array: NpzArray;
  /** Number of feeds; undefined for an array without axes, which goes whole into every feed. */
  readonly count?: number;
  readonly dims: readonly number[];
}

const cutOf = (array: NpzArray, spec: InputSpec | undefined, file: string): Cut => {
  const { shape, name } = array;
  const [rows, ...rest] = shape;
  if (rows === undefined) return { array, dims: [] };
  const rank = spec?.shape?.length ?? shape.length;
  if (rank === rest.length) return { array, count: rows, dims: rest };
  const batch = rank === shape.length ? spec?.shape?.[0] : undefined;
  const step = typeof batch === "number" && batch > 0 ? batch : 1;
  if (rows % step !== 0) {
    const taken = `the model takes ${step} at a time. Give a multiple of ${step}`;
    throw badData(file, `has ${rows} samples for input "${name}", and ${taken}.`);
  }
  return { array, count: rows / step, dims: [step, ...rest] };
};

const countOf = (cuts: readonly Cut[], file: string): number => {
  const counted = cuts.filter((cut) => cut.count !== undefined);
  const [first] = counted;
  if (first?.count === undefined) {
    throw badData(file, "has no array with a first axis of samples. Stack the samples of each input.");
  }
  const other = counted.find(({ count }) => count !== first.count);
  if (other) {
    const found = `${first.count} samples for input "${first.array.name}" and ${other.count} for "${other.array.name}"`;
    throw badData(file, `has ${found}. Give as many for each.`);
  }
  if (first.count === 0) throw badData(file, `has no samples for input "${first.array.name}". Give at least one.`);
  return first.count;
};

type Next = () => Promise<Tensor>;

/** Successive tensors of an array. Row-major ones stream; column-major ones are held whole while they are read. */
const tensorsOf = async ({ array, count, dims }: Cut, opened: ByteReader[]): Promise<Next> => {
  const tensor = (bytes: Uint8Array<ArrayBuffer>) =>
    ({ type: array.type, dims, data: npyData(array, bytes) }) as Tensor;
  const length = sizeOf(dims) * array.width;
  if (count === undefined || array.fortran) {
    const bytes = await wholeArray(array);
    let at = 0;
    return async () => {
      const start = count === undefined ? 0 : at++ * length;
      return tensor(bytes.slice(start, start + length));
    };
  }
  const reader = await array.open();
  opened.push(reader);
  return async () => tensor(await reader.take(length));
};

/**
 * Samples of a .npz file, one array for each input with samples along its first axis. Where the model's input has as
 * many axes as the array, a feed keeps the first axis, as long as the model's batch; where it has one less, it is dropped.
 *
 * @throws EspalierError `BAD_DATA`
 */
export const npzSamples = async (
  path: string,
  file: string,
  inputs: readonly InputSpec[],
): Promise<() => AsyncGenerator<Feeds>> => {
  const arrays = await npzArrays(path, file);
  const specOf = (array: NpzArray) => inputs.find(({ name }) => name === array.name);
  const cuts = arrays.map((array) => cutOf(array, specOf(array), file));
  const signature = cuts.map(({ array: { name, type }, dims }) => [name, { type, dims }]);
  await checkSignature(inputs, Object.fromEntries(signature), file);
  const count = countOf(cuts, file);
  return async function* () {
    const opened: ByteReader[] = [];
    try {
      const next: (readonly [string, Next])[] = [];
      for (const cut of cuts) next.push([cut.array.name, await tensorsOf(cut, opened)]);
      for (let sample = 0; sample < count; sample++) {
        const feeds: Record<string, Tensor> = {};
        for (const [name, tensor] of next) feeds[name] = await tensor();
        yield feeds;
      }
      for (const reader of opened) await reader.finish();
    } finally {
      for (const reader of opened) await reader.close();
    }
  };
};

/** One feed from a .npz file: each array as it is. @throws EspalierError `BAD_DATA` */
export const npzFeed = async (path: string, file: string, inputs: readonly InputSpec[]): Promise<Feeds> => {
  const feeds: Record<string, Tensor> = {};
  for (const array of await npzArrays(path, file)) {
    feeds[array.name] = {
      type: array.type,
      dims: array.shape,
      data: npyData(array, await wholeArray(array)),
    } as Tensor;
  }
  return checkFeeds(inputs, feeds, file);
};

import { toBfloat16 } from "../../numeric/bfloat16.ts";
import { toHalf } from "../../numeric/half.ts";
import type { Rng } from "../../numeric/rng.ts";
import { type DataType, type DataTypeMap, dataTypes, sizeOf, type Tensor, tensor } from "../../tensor.ts";
import { voice } from "./audio.ts";
import { madeUpImage } from "./image.ts";
import type { Input } from "./input-roles.ts";

/** What a value depends on beside its input's role. */
export interface Draw {
  readonly rng: Rng;
  /** Positions before those of this sample. */
  readonly past: number;
  /** Positions of this sample. */
  readonly sequence: number;
  /** Which of a role's choices to take. */
  readonly choice: number;
}

const BYTE_VALUES = 256;
const TIMESTEPS = 1000;
const ADDITIVE_MASK_RANK = 4;

const isInt64 = (type: DataType): type is "int64" | "uint64" => type === "int64" || type === "uint64";

/** Numbers as the array of an element type. */
const arrayOf = (type: DataType, values: ArrayLike<number>): DataTypeMap[DataType] => {
  if (type === "float16") return toHalf(Float32Array.from(values));
  if (type === "bfloat16") return toBfloat16(Float32Array.from(values));
  if (isInt64(type)) {
    const array = type === "int64" ? BigInt64Array : BigUint64Array;
    return array.from(Array.from(values, BigInt));
  }
  const array = dataTypes[type].array as unknown as { from(values: ArrayLike<number>): DataTypeMap[DataType] };
  return array.from(values);
};

const image = (dims: readonly number[], channelsLast: boolean, rng: Rng): Float32Array => {
  const [count, channels, height, width] = channelsLast ? [dims[0], dims[3], dims[1], dims[2]] : dims;
  const pixels = new Float32Array(sizeOf(dims));
  for (let n = 0; n < count; n++) {
    const one = madeUpImage(rng, channels, height, width);
    const start = n * one.length;
    if (channelsLast) {
      const area = height * width;
      for (let i = 0; i < one.length; i++) pixels[start + (i % area) * channels + Math.floor(i / area)] = one[i];
    } else pixels.set(one, start);
  }
  return pixels;
};

const filled = (count: number, value: (i: number) => number) =>
  Float64Array.from({ length: count }, (_, i) => value(i));

const numbers = ({ type, role }: Input, dims: readonly number[], { rng, past, sequence, choice }: Draw) => {
  const count = sizeOf(dims);
  const last = dims.at(-1) ?? 1;
  switch (role.kind) {
    case "state":
    case "types":
      return filled(count, () => 0);
    case "mask":
      // a float mask of [batch, heads, to, from] is added to scores
      return filled(count, () => (dims.length === ADDITIVE_MASK_RANK && type.includes("float") ? 0 : 1));
    case "flag":
      return filled(count, () => Number(past > 0 || choice % 2 === 1));
    case "positions":
      return filled(count, (i) => past + (i % last));
    case "lengths":
      return filled(count, () => sequence);
    case "timestep":
      return filled(count, () => rng.below(TIMESTEPS));
    case "choice":
      return filled(count, () => role.values[choice % role.values.length]);
    case "ids":
      return filled(count, () => rng.below(role.rows));
    case "audio":
      return Float32Array.from(Array.from({ length: count / last }, () => [...voice(rng, last)]).flat());
    case "image": {
      const pixels = image(dims, role.channelsLast, rng);
      if (role.peak === 1) return pixels;
      return pixels.map((value) => Math.min(BYTE_VALUES - 1, Math.floor(((value + 1) / 2) * BYTE_VALUES)));
    }
    case "gaussian":
      return filled(count, () => rng.normal());
  }
};

/** A tensor for an input. */
export const drawTensor = (input: Input, dims: readonly number[], draw: Draw): Tensor =>
  tensor(input.type, dims, arrayOf(input.type, numbers(input, dims, draw)));

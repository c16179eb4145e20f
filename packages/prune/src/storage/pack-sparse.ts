import { byteLengthOf, dataTypes, isFloatType, readData, sizeOf, type Tensor, type TensorData } from "@espalier/core";

const BYTE_BITS = 8;
/** Bits of a half float or bfloat16 without its sign. */
const UNSIGNED_HALF = 0x7fff;

const isZero = (type: Tensor["type"], value: number): boolean =>
  type === "float16" || type === "bfloat16" ? (value & UNSIGNED_HALF) === 0 : value === 0;

/** The places of the values of a float tensor that are not zero, and these values in its own element type. */
export interface Survivors {
  readonly places: readonly number[];
  readonly values: Exclude<TensorData, string[]>;
}

/** Survivors of a tensor of floats; undefined for other types. */
export const survivorsOf = async (tensor: Tensor): Promise<Survivors | undefined> => {
  const { type } = tensor;
  if (!isFloatType(type)) return undefined;
  const data = (await readData(tensor)) as Float32Array;
  const places: number[] = [];
  for (let i = 0; i < data.length; i++) if (!isZero(type, data[i])) places.push(i);
  const values = new dataTypes[type].array!(
    new ArrayBuffer((places.length * dataTypes[type].bits) / BYTE_BITS),
  ) as Float32Array;
  places.forEach((place, i) => {
    values[i] = data[place];
  });
  return { places, values };
};

/** A bit for each element, lowest first, set where there is a value: ceil(n / 8) bytes. */
export const bitmapOf = (dims: readonly number[], places: readonly number[]): Uint8Array => {
  const bitmap = new Uint8Array(Math.ceil(sizeOf(dims) / BYTE_BITS));
  for (const place of places) bitmap[place >> 3] |= 1 << (place & 7);
  return bitmap;
};

/** The tensor of a bitmap and values: what `bitmapOf` and `survivorsOf` took apart. */
export const expandBitmap = (like: Tensor, bitmap: Uint8Array, values: ArrayLike<number>): Tensor => {
  const data = new dataTypes[like.type].array!(new ArrayBuffer(byteLengthOf(like.type, like.dims))) as Float32Array;
  for (let i = 0, at = 0; i < data.length; i++) if ((bitmap[i >> 3] >> (i & 7)) & 1) data[i] = values[at++];
  return { type: like.type, dims: like.dims, data } as Tensor;
};

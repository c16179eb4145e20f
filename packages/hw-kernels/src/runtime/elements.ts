import type { AnyArray, ElementType } from "../op.ts";

type Constructor = {
  new (length: number): AnyArray;
  new (buffer: ArrayBufferLike, offset: number, length: number): AnyArray;
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
};

/** The typed array of each element type. */
export const elementArrays: Readonly<Record<ElementType, Constructor>> = {
  f32: Float32Array,
  f64: Float64Array,
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
};

import { type DataType, dataTypes, sizeOf, type TensorData } from "@espalier/core";

/** What the head of a .npy file says. Source: NEP 1, versions 1.0 to 3.0. */
export interface NpyHeader {
  readonly type: DataType;
  readonly shape: readonly number[];
  /** First axis runs fastest. */
  readonly fortran: boolean;
  readonly bigEndian: boolean;
  /** Bytes of an element. */
  readonly width: number;
  /** A string of 4 bytes a character. */
  readonly wide: boolean;
  /** Bytes of the head. */
  readonly bytes: number;
}

const MAGIC = "\x93NUMPY";
const PREFIX_BYTES = 12;
/** numpy's own limit on a head it trusts. */
const MAX_HEADER_BYTES = 10_000;
const CHARACTER_BYTES = 4;

const types: Readonly<Record<string, DataType>> = {
  f2: "float16",
  f4: "float32",
  f8: "float64",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  b1: "bool",
  c8: "complex64",
  c16: "complex128",
};

const typeOf = (kind: string): DataType | undefined => types[kind] ?? (/^[US]\d+$/.test(kind) ? "string" : undefined);

/**
 * Reads the head of a .npy file.
 *
 * @param take gives the next bytes of the file
 * @returns the head, or what is wrong with it
 */
export const readNpyHeader = async (take: (length: number) => Promise<Uint8Array>): Promise<NpyHeader | string> => {
  const prefix = Buffer.from(await take(PREFIX_BYTES));
  if (prefix.toString("latin1", 0, MAGIC.length) !== MAGIC || prefix.length < PREFIX_BYTES) return "is no .npy array";
  // version 1 counts its text in two bytes, later ones in four; two bytes of text are in the prefix of version 1
  const first = prefix[6] === 1;
  const length = first ? prefix.readUInt16LE(8) - 2 : prefix.readUInt32LE(8);
  if (length < 0 || length > MAX_HEADER_BYTES) return `has a head of ${length} bytes`;
  const text = (first ? prefix.toString("latin1", 10) : "") + Buffer.from(await take(length)).toString("utf8");
  const descr = /'descr':\s*'([<>|=]?)([a-zA-Z]\d*)'/.exec(text);
  const order = /'fortran_order':\s*(True|False)/.exec(text);
  const dims = /'shape':\s*\(([\dL,\s]*)\)/.exec(text);
  const type = descr ? typeOf(descr[2]) : undefined;
  if (!type || !descr || !order || !dims) return `is of a type that no model takes (${text.trim().slice(0, 80)})`;
  const shape = dims[1]
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => Number.parseInt(part, 10));
  const wide = descr[2][0] === "U";
  return {
    type,
    shape,
    fortran: order[1] === "True" && shape.length > 1,
    bigEndian: descr[1] === ">",
    width: Number(descr[2].slice(1)) * (wide ? CHARACTER_BYTES : 1),
    wide,
    bytes: PREFIX_BYTES + length,
  };
};

const swapped = (bytes: Uint8Array, { type, width }: NpyHeader): Uint8Array => {
  const part = type.startsWith("complex") ? width / 2 : type === "string" ? CHARACTER_BYTES : width;
  for (let at = 0; at < bytes.length; at += part) bytes.subarray(at, at + part).reverse();
  return bytes;
};

const strings = (bytes: Uint8Array, width: number, wide: boolean): string[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const one = (start: number): string => {
    if (!wide)
      return Buffer.from(bytes.subarray(start, start + width))
        .toString("utf8")
        .replace(/\0+$/, "");
    let text = "";
    for (let at = start; at < start + width; at += CHARACTER_BYTES) {
      const code = view.getUint32(at, true);
      if (code !== 0) text += String.fromCodePoint(code);
    }
    return text;
  };
  return Array.from({ length: bytes.length / Math.max(width, 1) }, (_, i) => one(i * width));
};

/** Elements in numpy's bytes, which are changed where their order of bytes is not the machine's. */
export const npyData = (header: NpyHeader, bytes: Uint8Array<ArrayBuffer>): TensorData => {
  if (header.bigEndian && header.width > 1) swapped(bytes, header);
  if (header.type === "string") return strings(bytes, header.width, header.wide);
  return new dataTypes[header.type].array!(bytes.buffer);
};

/**
 * The bytes of an array in row-major order, from column-major order.
 *
 * @param shape [d0, d1, …]
 */
export const toRowMajor = (bytes: Uint8Array, shape: readonly number[], width: number): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(bytes.length);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)) * width);
  const index = shape.map(() => 0);
  for (let to = 0, from = 0; to < out.length; to += width) {
    for (let b = 0; b < width; b++) out[to + b] = bytes[from + b];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
};

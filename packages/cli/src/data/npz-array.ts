import { extname } from "node:path";
import { sizeOf } from "@espalier/core";
import { badData } from "../errors.ts";
import { type ByteReader, byteReader } from "./byte-reader.ts";
import { type NpyHeader, readNpyHeader, toRowMajor } from "./npy.ts";
import { entryBytes, readZip, type ZipEntry } from "./zip.ts";

/** An array of a .npz file, not read yet. */
export interface NpzArray extends NpyHeader {
  readonly name: string;
  /** A reader that stands at the first element. */
  open(): Promise<ByteReader>;
}

const openArray = async (path: string, file: string, entry: ZipEntry): Promise<NpzArray> => {
  const name = entry.name.slice(0, -extname(entry.name).length);
  const start = () => byteReader(entryBytes(path, file, entry));
  const reader = start();
  const header = await readNpyHeader(reader.take).finally(reader.close);
  if (typeof header === "string") {
    throw badData(file, `holds "${name}", which ${header}. Save it as a plain array of numbers.`);
  }
  const expected = header.bytes + sizeOf(header.shape) * header.width;
  if (entry.size !== expected) {
    const found = `${entry.size} bytes, and [${header.shape.join(", ")}] takes ${expected}`;
    throw badData(file, `holds "${name}" with ${found}. Write the file again.`);
  }
  return {
    ...header,
    name,
    async open() {
      const at = start();
      await at.take(header.bytes);
      return at;
    },
  };
};

/** The arrays of a .npz file, in the order of its directory. @throws EspalierError `BAD_DATA` */
export const npzArrays = async (path: string, file: string): Promise<readonly NpzArray[]> => {
  const entries = (await readZip(path, file)).filter(({ name }) => !name.endsWith("/"));
  const other = entries.find(({ name }) => extname(name) !== ".npy");
  if (other) throw badData(file, `holds "${other.name}", which is no array. Write the file by numpy.savez.`);
  const arrays: NpzArray[] = [];
  for (const entry of entries) arrays.push(await openArray(path, file, entry));
  return arrays;
};

/** All bytes of an array, in row-major order. */
export const wholeArray = async (array: NpzArray): Promise<Uint8Array<ArrayBuffer>> => {
  const reader = await array.open();
  const bytes = await reader.take(sizeOf(array.shape) * array.width);
  await reader.finish();
  return array.fortran ? toRowMajor(bytes, array.shape, array.width) : bytes;
};

import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { badData, firstLine } from "../errors.ts";

/** A file inside a zip archive. Layouts: PKWARE APPNOTE 6.3, sections 4.3.7 to 4.3.16. */
export interface ZipEntry {
  readonly name: string;
  readonly stored: boolean;
  /** Bytes in the archive. */
  readonly packed: number;
  /** Bytes when unpacked. */
  readonly size: number;
  readonly crc: number;
  /** Where its local header begins. */
  readonly offset: number;
}

const END = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT = 0xffff;
const LOCATOR = 0x07064b50;
const LOCATOR_BYTES = 20;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const CENTRAL = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const EXTRA64 = 1;
const IN_EXTRA = 0xffffffff;
const ENTRIES_IN_EXTRA = 0xffff;
const ENCRYPTED = 1;
const STORED = 0;
const DEFLATED = 8;
const CHUNK_BYTES = 1 << 18;

const damaged = (file: string) => badData(file, "is no zip archive, or is cut off. Write the file again.");

const read = async (handle: FileHandle, file: string, offset: number, length: number): Promise<Buffer> => {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  if (bytesRead !== length) throw damaged(file);
  return bytes;
};

interface Directory {
  readonly entries: number;
  readonly offset: number;
  readonly bytes: number;
}

const findDirectory = async (handle: FileHandle, file: string, size: number): Promise<Directory> => {
  const length = Math.min(size, END_BYTES + MAX_COMMENT);
  const tail = await read(handle, file, size - length, length);
  let at = length - END_BYTES;
  while (at >= 0 && tail.readUInt32LE(at) !== END) at--;
  if (at < 0) throw damaged(file);
  const usual = {
    entries: tail.readUInt16LE(at + 10),
    bytes: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  };
  const large = usual.entries === ENTRIES_IN_EXTRA || usual.bytes === IN_EXTRA || usual.offset === IN_EXTRA;
  if (!large || at < LOCATOR_BYTES || tail.readUInt32LE(at - LOCATOR_BYTES) !== LOCATOR) return usual;
  const end64 = await read(handle, file, Number(tail.readBigUInt64LE(at - LOCATOR_BYTES + 8)), END64_BYTES);
  if (end64.readUInt32LE(0) !== END64) throw damaged(file);
  const [entries, bytes, offset] = [32, 40, 48].map((place) => Number(end64.readBigUInt64LE(place)));
  return { entries, bytes, offset };
};

/** Sizes and offset of entries over 4 GB, in the order of the fields that say so. */
const largeFields = (extra: Buffer, fields: number[]): number[] => {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== EXTRA64) continue;
    let place = at + 4;
    return fields.map((field) => {
      if (field !== IN_EXTRA) return field;
      place += 8;
      return Number(extra.readBigUInt64LE(place - 8));
    });
  }
  return fields;
};

/** The entries of a zip archive. @throws EspalierError `BAD_DATA` */
export const readZip = async (path: string, file: string): Promise<readonly ZipEntry[]> => {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    if (size < END_BYTES) throw damaged(file);
    const directory = await findDirectory(handle, file, size);
    if (directory.offset + directory.bytes > size) throw damaged(file);
    const central = await read(handle, file, directory.offset, directory.bytes);
    const found: ZipEntry[] = [];
    for (let at = 0; found.length < directory.entries; ) {
      if (at + CENTRAL_BYTES > central.length || central.readUInt32LE(at) !== CENTRAL) throw damaged(file);
      const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((place) => central.readUInt16LE(at + place));
      const nameAt = at + CENTRAL_BYTES;
      const name = central.toString("utf8", nameAt, nameAt + nameBytes);
      const method = central.readUInt16LE(at + 10);
      if ((method !== STORED && method !== DEFLATED) || central.readUInt16LE(at + 8) & ENCRYPTED) {
        throw badData(
          file,
          `holds "${name}" encrypted or compressed by method ${method}. Use numpy.savez or savez_compressed.`,
        );
      }
      const extra = central.subarray(nameAt + nameBytes, nameAt + nameBytes + extraBytes);
      const fields = [24, 20, 42].map((place) => central.readUInt32LE(at + place));
      const [unpacked, packed, offset] = largeFields(extra, fields);
      found.push({
        name,
        stored: method === STORED,
        packed,
        size: unpacked,
        offset,
        crc: central.readUInt32LE(at + 16),
      });
      at = nameAt + nameBytes + extraBytes + commentBytes;
    }
    return found;
  } catch (error) {
    if (error instanceof RangeError) throw damaged(file);
    throw error;
  } finally {
    await handle.close();
  }
};

const dataOffset = async (path: string, file: string, { offset }: ZipEntry): Promise<number> => {
  const handle = await open(path, "r");
  try {
    const header = await read(handle, file, offset, LOCAL_BYTES);
    if (header.readUInt32LE(0) !== LOCAL) throw damaged(file);
    return offset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  } finally {
    await handle.close();
  }
};

/** The unpacked bytes of an entry, as a stream; its checksum is verified at the end. @throws EspalierError `BAD_DATA` */
export async function* entryBytes(path: string, file: string, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  if (entry.packed === 0) return;
  const start = await dataOffset(path, file, entry);
  const raw = createReadStream(path, { start, end: start + entry.packed - 1, highWaterMark: CHUNK_BYTES });
  const inflate = entry.stored ? undefined : createInflateRaw({ chunkSize: CHUNK_BYTES });
  raw.on("error", (error) => inflate?.destroy(error));
  let [crc, bytes] = [0, 0];
  try {
    for await (const chunk of inflate ? raw.pipe(inflate) : raw) {
      crc = crc32(chunk, crc);
      bytes += chunk.length;
      yield chunk;
    }
    if (bytes !== entry.size || crc !== entry.crc)
      throw badData(file, `holds "${entry.name}" damaged. Write the file again.`);
  } catch (error) {
    if (error instanceof Error && error.name === "EspalierError") throw error;
    throw badData(file, `holds "${entry.name}" damaged: ${firstLine(error)}. Write the file again.`, error);
  } finally {
    inflate?.destroy();
    raw.destroy();
  }
}

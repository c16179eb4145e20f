import { crc32 } from "node:zlib";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { badData, firstLine } from "../errors.ts";

/** A file inside a zip archive. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes when unpacked. */
  readonly size: number;
  readonly entry: Entry;
}

// names of arrays are those of a model's inputs, which may begin with "/" and are no paths
const OPTIONS = { autoClose: false, decodeStrings: false };

const damaged = (file: string, error: unknown) =>
  badData(file, `is no zip archive, or is cut off (${firstLine(error)}). Write the file again.`, error);

/** The entries of a zip archive. @throws EspalierError `BAD_DATA` */
export const readZip = async (path: string, file: string): Promise<readonly ZipEntry[]> => {
  let zip: ZipFile | undefined;
  const found: ZipEntry[] = [];
  try {
    zip = await openPromise(path, OPTIONS);
    for await (const entry of zip.eachEntry()) {
      found.push({ name: entry.fileNameRaw.toString("utf8"), size: entry.uncompressedSize, entry });
    }
  } catch (error) {
    throw damaged(file, error);
  } finally {
    zip?.close();
  }
  const foreign = found.find(({ entry }) => !entry.canDecodeFileData());
  if (!foreign) return found;
  const how = `encrypted or compressed by method ${foreign.entry.compressionMethod}`;
  throw badData(file, `holds "${foreign.name}" ${how}. Use numpy.savez or savez_compressed.`);
};

/** The unpacked bytes of an entry, as a stream; its checksum is verified at the end. @throws EspalierError `BAD_DATA` */
export async function* entryBytes(path: string, file: string, one: ZipEntry): AsyncGenerator<Uint8Array> {
  const { name, entry } = one;
  let zip: ZipFile | undefined;
  let crc = 0;
  try {
    zip = await openPromise(path, OPTIONS);
    for await (const chunk of await zip.openReadStreamPromise(entry)) {
      crc = crc32(chunk, crc);
      yield chunk;
    }
  } catch (error) {
    throw badData(file, `holds "${name}" damaged: ${firstLine(error)}. Write the file again.`, error);
  } finally {
    zip?.close();
  }
  if (crc !== entry.crc32) throw badData(file, `holds "${name}" damaged. Write the file again.`);
}

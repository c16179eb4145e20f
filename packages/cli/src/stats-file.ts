import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import type { StatsStore } from "@espalier/core";
import { EspalierError } from "@espalier/core";

/** What a file of statistics begins with. */
const MAGIC = new TextEncoder().encode("ESPSTAT1");
/** Before each entry: length of its key and of its bytes, as doubles. */
const HEAD_BYTES = 16;

export interface StatsFile extends StatsStore {
  close(): void;
}

/**
 * A store in a file: entries one behind the other, written when they are made and read when they are asked for, so that
 * none is held in memory. An entry that was cut off, as by a crash, is dropped with all behind it.
 *
 * @throws EspalierError `IO` for a file that is something else, or cannot be opened
 */
export const openStatsFile = (path: string): StatsFile => {
  const isNew = !existsSync(path);
  let file: number;
  try {
    file = openSync(path, isNew ? "w+" : "r+");
  } catch (cause) {
    throw new EspalierError("IO", "espalier", `"${path}" could not be opened. Check the path of --stats.`, { cause });
  }
  const read = (at: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    let done = 0;
    for (let got = 1; done < length && got > 0; done += got)
      got = readSync(file, bytes, done, length - done, at + done);
    return bytes.subarray(0, done);
  };
  const write = (at: number, bytes: Uint8Array): number => {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
    return at + bytes.length;
  };
  if (isNew) write(0, MAGIC);
  else if (!read(0, MAGIC.length).every((byte, i) => byte === MAGIC[i]) || fstatSync(file).size < MAGIC.length) {
    closeSync(file);
    throw new EspalierError(
      "IO",
      "espalier",
      `"${path}" is no file of statistics. Give one that --stats made, or a name that is free.`,
    );
  }
  const places = new Map<string, readonly [at: number, length: number]>();
  const { size } = fstatSync(file);
  let end = MAGIC.length;
  while (end + HEAD_BYTES <= size) {
    const head = new DataView(read(end, HEAD_BYTES).buffer);
    const [keyLength, length] = [head.getFloat64(0, true), head.getFloat64(8, true)];
    const next = end + HEAD_BYTES + keyLength + length;
    if (!(keyLength >= 0 && length >= 0 && next <= size)) break;
    const key = new TextDecoder().decode(read(end + HEAD_BYTES, keyLength));
    places.set(key, [end + HEAD_BYTES + keyLength, length]);
    end = next;
  }
  if (end < size) ftruncateSync(file, end);
  return {
    async get(key) {
      const place = places.get(key);
      return place && read(...place);
    },
    async set(key, bytes) {
      const name = new TextEncoder().encode(key);
      const head = new DataView(new ArrayBuffer(HEAD_BYTES));
      head.setFloat64(0, name.length, true);
      head.setFloat64(8, bytes.length, true);
      const at = write(write(end, new Uint8Array(head.buffer)), name);
      end = write(at, bytes);
      places.set(key, [at, bytes.length]);
    },
    close: () => closeSync(file),
  };
};

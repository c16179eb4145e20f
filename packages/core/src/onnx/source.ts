import { EspalierError } from "../errors.ts";

/** Random access to bytes that need not be in memory. */
export interface ByteSource {
  /** What messages call it: a file name, "buffer", "blob" … */
  readonly name: string;
  readonly size: number;
  /** Where the file is, for a file in Node. */
  readonly path?: string;
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Files in Node and buffers only; a Blob and a URL cannot be read without waiting. */
  readSync?(offset: number, length: number): Uint8Array;
  /** Fills `bytes` with those from `offset` on; where `readSync` is. */
  copySync?(offset: number, bytes: Uint8Array): void;
}

/** Bytes of a source, not read yet. */
export interface ByteRange {
  readonly source: ByteSource;
  readonly offset: number;
  readonly length: number;
}

/** A piece of a stream: bytes at hand, or a range to copy from. */
export type Part = Uint8Array | ByteRange;

export const partLength = (part: Part): number => (part instanceof Uint8Array ? part.byteLength : part.length);

/** A source over bytes in memory; what it gives are views, not copies. */
export const bytesSource = (bytes: Uint8Array, name = "buffer"): ByteSource => {
  const readSync = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  const copySync = (offset: number, to: Uint8Array) => to.set(bytes.subarray(offset, offset + to.length));
  return { name, size: bytes.byteLength, readSync, copySync, read: async (offset, length) => readSync(offset, length) };
};

/** A source over a Blob or File of a browser. */
export const blobSource = (blob: Blob, name = "name" in blob ? String(blob.name) : "blob"): ByteSource => ({
  name,
  size: blob.size,
  read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
});

const HTTP_PARTIAL_CONTENT = 206;

/**
 * A source over a URL. Reads ranges where the server answers with 206; else the whole body is fetched once and kept.
 *
 * @throws EspalierError `IO` when the server does not answer with the file
 */
export const urlSource = async (url: URL | string): Promise<ByteSource> => {
  const name = String(url);
  const get = async (range: string) => {
    const response = await fetch(url, { headers: { range } }).catch((cause: unknown) => {
      throw new EspalierError("IO", "core/onnx", `"${name}" could not be fetched. Check the address and CORS.`, {
        cause,
      });
    });
    if (!response.ok) {
      throw new EspalierError("IO", "core/onnx", `"${name}" answered ${response.status}. Check the address.`);
    }
    return response;
  };
  const first = await get("bytes=0-0");
  const total = Number(/\/(\d+)$/.exec(first.headers.get("content-range") ?? "")?.[1]);
  if (first.status !== HTTP_PARTIAL_CONTENT || !Number.isSafeInteger(total)) {
    return bytesSource(new Uint8Array(await first.arrayBuffer()), name);
  }
  await first.body?.cancel();
  return {
    name,
    size: total,
    async read(offset, length) {
      if (length === 0) return new Uint8Array();
      const response = await get(`bytes=${offset}-${offset + length - 1}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status !== HTTP_PARTIAL_CONTENT || bytes.byteLength !== length) {
        throw new EspalierError(
          "IO",
          "core/onnx",
          `"${name}" gave ${bytes.byteLength} bytes for a range of ${length}. Try again.`,
        );
      }
      return bytes;
    },
  };
};

export interface NodeFiles {
  readonly fs: typeof import("node:fs");
  readonly path: typeof import("node:path");
}

/** Node's file functions; product code reaches them only through this, so that browsers never load them. */
export const nodeFiles = async (): Promise<NodeFiles> => ({
  fs: await import("node:fs"),
  path: await import("node:path"),
});

/**
 * A source over a file in Node. The file is opened for each read, so nothing stays open; a file that was replaced or
 * changed since is refused.
 *
 * @throws EspalierError `NOT_FOUND`, or `BAD_PATH` for a directory
 */
export const fileSource = (file: string, { fs, path }: NodeFiles): ByteSource => {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new EspalierError("NOT_FOUND", "core/onnx", `there is no file "${file}". Check the path.`);
  }
  if (!stat.isFile()) {
    const what = stat.isDirectory() ? "a directory" : "not a regular file";
    throw new EspalierError("BAD_PATH", "core/onnx", `"${file}" is ${what}. Name a file.`);
  }
  const checkEnd = (end: number) => {
    if (end > stat.size) throw new EspalierError("BAD_MODEL", "core/onnx", `"${file}" ends before byte ${end}.`);
  };
  const copySync = (offset: number, bytes: Uint8Array) => {
    const { length } = bytes;
    const descriptor = fs.openSync(file, "r");
    try {
      const now = fs.fstatSync(descriptor);
      if (now.size !== stat.size || now.ino !== stat.ino || now.mtimeMs !== stat.mtimeMs) {
        throw new EspalierError("IO", "core/onnx", `"${file}" changed while it was in use. Open the model again.`);
      }
      checkEnd(offset + length);
      for (let done = 0; done < length; ) done += fs.readSync(descriptor, bytes, done, length - done, offset + done);
    } finally {
      fs.closeSync(descriptor);
    }
  };
  const readSync = (offset: number, length: number) => {
    checkEnd(offset + length);
    const bytes = new Uint8Array(length);
    copySync(offset, bytes);
    return bytes;
  };
  return {
    name: path.basename(file),
    path: path.resolve(file),
    size: stat.size,
    readSync,
    copySync,
    read: async (offset, length) => readSync(offset, length),
  };
};

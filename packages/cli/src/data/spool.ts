import { rmSync } from "node:fs";
import { type FileHandle, mkdtemp, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dataTypes, type Feeds, type Tensor, type TensorData } from "@espalier/core";

/** Feeds on disk that can be read again and again; memory holds one of them. */
export interface Spool {
  read(): AsyncGenerator<Feeds>;
  close(): Promise<void>;
}

interface Stored {
  readonly name: string;
  readonly type: Tensor["type"];
  readonly dims: readonly number[];
  /** Bytes in the file. */
  readonly bytes: number;
}

interface SpooledFeed {
  readonly offset: number;
  readonly tensors: readonly Stored[];
}

const encode = ({ type, data }: Tensor): Uint8Array => {
  if (type === "string") return new TextEncoder().encode(JSON.stringify(data));
  const { buffer, byteOffset, byteLength } = data as Exclude<TensorData, string[]>;
  return new Uint8Array(buffer, byteOffset, byteLength);
};

const decode = ({ type, dims }: Stored, bytes: Uint8Array<ArrayBuffer>): Tensor => {
  const data =
    type === "string" ? JSON.parse(new TextDecoder().decode(bytes)) : new dataTypes[type].array!(bytes.buffer);
  return { type, dims, data } as Tensor;
};

/** A file without a name: it is gone when the process is, however that ends. */
const anonymousFile = async (): Promise<FileHandle> => {
  const folder = await mkdtemp(join(tmpdir(), "espalier-data-"));
  try {
    return await open(join(folder, "feeds"), "wx+");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const writeAll = async (handle: FileHandle, bytes: Uint8Array, offset: number) => {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
  }
};

const readAll = async (handle: FileHandle, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw new Error("the temporary file of calibration data was cut off");
    done += bytesRead;
  }
  return bytes;
};

/** Writes all feeds of an iterable that can be read once into a temporary file. */
export const spool = async (feeds: AsyncIterable<Feeds> | Iterable<Feeds>): Promise<Spool> => {
  const handle = await anonymousFile();
  const records: SpooledFeed[] = [];
  let end = 0;
  try {
    for await (const feed of feeds) {
      const offset = end;
      const tensors: Stored[] = [];
      for (const [name, tensor] of Object.entries(feed)) {
        const bytes = encode(tensor);
        await writeAll(handle, bytes, end);
        end += bytes.length;
        tensors.push({ name, type: tensor.type, dims: [...tensor.dims], bytes: bytes.length });
      }
      records.push({ offset, tensors });
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  return {
    async *read() {
      for (const { offset, tensors } of records) {
        const feed: Record<string, Tensor> = {};
        let at = offset;
        for (const stored of tensors) {
          feed[stored.name] = decode(stored, await readAll(handle, at, stored.bytes));
          at += stored.bytes;
        }
        yield feed;
      }
    },
    close: () => handle.close(),
  };
};

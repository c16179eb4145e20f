import { nodeFiles } from "../onnx/source.ts";
import { byteLengthOf, type DataType, dataTypes, type Tensor } from "../tensor.ts";

type Values = Readonly<Record<string, Tensor>>;

/** Values of each sample, in order. Those that would pass the limit lie in a temporary file, in Node. */
export interface KeptValues {
  readonly length: number;
  add(values: Values): Promise<void>;
  /** The values of a sample; none where there is no such sample. */
  at(index: number): Values;
  /** Element types of the first sample's values. */
  types(): ReadonlyMap<string, DataType>;
  /** Removes the file; nothing can be read afterwards. */
  remove(): void;
}

interface Kept {
  readonly type: DataType;
  readonly dims: readonly number[];
  read(): Tensor["data"];
}

/** Bytes of values that are held in memory. */
const IN_MEMORY = 256e6;

/** A file that is written at its end and read anywhere. */
const temporaryFile = async () => {
  const { fs, path } = await nodeFiles();
  const { tmpdir } = await import("node:os");
  const folder = fs.mkdtempSync(path.join(tmpdir(), "espalier-values-"));
  const file = fs.openSync(path.join(folder, "values"), "w+");
  let end = 0;
  return {
    write(bytes: Uint8Array): number {
      for (let done = 0; done < bytes.length; )
        done += fs.writeSync(file, bytes, done, bytes.length - done, end + done);
      end += bytes.length;
      return end - bytes.length;
    },
    read(at: number, length: number): Uint8Array {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) done += fs.readSync(file, bytes, done, length - done, at + done);
      return bytes;
    },
    remove() {
      fs.closeSync(file);
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
};

const isNode = () => typeof process !== "undefined" && process.versions?.node !== undefined;

/** An empty list. @param memory bytes held in memory before values go to a file; all stay there in browsers */
export const keptValues = (memory = IN_MEMORY): KeptValues => {
  const samples: ReadonlyMap<string, Kept>[] = [];
  let file: Awaited<ReturnType<typeof temporaryFile>> | undefined;
  let held = 0;
  const keep = async (tensor: Tensor): Promise<Kept> => {
    const { type, dims, data } = tensor;
    const { array } = dataTypes[type];
    const bytes = byteLengthOf(type, dims);
    if (held + bytes <= memory || !array || !isNode()) {
      held += bytes;
      return { type, dims, read: () => data };
    }
    file ??= await temporaryFile();
    const opened = file;
    const { buffer, byteOffset, byteLength } = data as Uint8Array;
    const at = opened.write(new Uint8Array(buffer, byteOffset, byteLength));
    return { type, dims, read: () => new array(opened.read(at, byteLength).buffer as ArrayBuffer) };
  };
  return {
    get length() {
      return samples.length;
    },
    async add(values) {
      const kept = new Map<string, Kept>();
      for (const [name, tensor] of Object.entries(values)) kept.set(name, await keep(tensor));
      samples.push(kept);
    },
    at: (index) =>
      Object.fromEntries(
        [...(samples[index] ?? [])].map(([name, { type, dims, read }]) => [name, { type, dims, data: read() }]),
      ),
    types: () => new Map([...(samples[0] ?? [])].map(([name, { type }]) => [name, type])),
    remove() {
      file?.remove();
      file = undefined;
    },
  };
};

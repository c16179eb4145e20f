import { EspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import { INLINE_BYTES } from "./schema.ts";
import { type NodeFiles, nodeFiles, type Part, partLength } from "./source.ts";
import { chunksOf, hasExternalData, MAX_MODEL_BYTES, modelParts } from "./write.ts";

export interface SaveOptions {
  /** Put weights into `NAME.onnx_data`, `_data_1` …: "auto" does so when they were there before, or over 1.9 GB. */
  readonly externalData?: boolean | "auto";
  /** Size at which the next external file begins. */
  readonly chunkBytes?: number;
  /** Replace files that exist. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

export interface SavedModel {
  readonly path: string;
  /** All files, the model first. */
  readonly files: readonly string[];
  /** Bytes of all files. */
  readonly bytes: number;
}

/** Browsers keep files below 2 GB in their caches. Source: FORMATS.md, section 1.2. */
const MAX_FILE_BYTES = 1.9e9;
/** Page size; the ONNX specification asks for it so that runtimes can map the file. */
const PAGE_BYTES = 4096;
/** Tensors below this are only aligned to 64 bytes, so that padding stays small. */
const PAGE_ALIGNED_BYTES = 1 << 20;
const SMALL_ALIGNMENT = 64;

interface DataFile {
  readonly location: string;
  readonly parts: Part[];
  bytes: number;
}

/** Lays weights out in files of at most `chunkBytes` (a larger tensor gets a file of its own). */
const layout = (model: Model, name: string, chunkBytes: number) => {
  const files: DataFile[] = [];
  const parts = modelParts(model, (byteLength, tensorParts) => {
    if (byteLength < INLINE_BYTES) return undefined;
    const alignment = byteLength >= PAGE_ALIGNED_BYTES ? PAGE_BYTES : SMALL_ALIGNMENT;
    let file = files.at(-1);
    let offset = file ? Math.ceil(file.bytes / alignment) * alignment : 0;
    if (!file || (offset + byteLength > chunkBytes && file.bytes > 0)) {
      file = { location: files.length === 0 ? `${name}_data` : `${name}_data_${files.length}`, parts: [], bytes: 0 };
      files.push(file);
      offset = 0;
    }
    if (offset > file.bytes) file.parts.push(new Uint8Array(offset - file.bytes));
    file.parts.push(...tensorParts);
    file.bytes = offset + byteLength;
    return { location: file.location, offset };
  });
  return { parts, files };
};

const singleFile = (model: Model): readonly Part[] | undefined => {
  try {
    const parts = modelParts(model);
    return parts.reduce((sum, part) => sum + partLength(part), 0) > MAX_FILE_BYTES ? undefined : parts;
  } catch (error) {
    if (error instanceof EspalierError && error.code === "TOO_LARGE") return undefined;
    throw error;
  }
};

const exists = (file: string) =>
  new EspalierError("EXISTS", "core/onnx", `"${file}" is there already. Name another output, or allow it with force.`);

const writeFile = async (file: string, parts: readonly Part[], signal: AbortSignal | undefined, { fs }: NodeFiles) => {
  const handle = await fs.promises.open(file, "wx");
  let bytes = 0;
  try {
    for await (const chunk of chunksOf(parts)) {
      if (signal?.aborted) throw new EspalierError("ABORTED", "core/onnx", "writing was stopped. Nothing was kept.");
      let done = 0;
      while (done < chunk.length) done += (await handle.write(chunk, done, chunk.length - done)).bytesWritten;
      bytes += chunk.length;
    }
  } finally {
    await handle.close();
  }
  return bytes;
};

interface PlannedFile {
  readonly file: string;
  readonly parts: readonly Part[];
}

/** The files that a model is written to, the model first, by their names. */
const filesOf = (model: Model, name: string, { externalData = "auto", chunkBytes = MAX_FILE_BYTES }: SaveOptions) => {
  const inside =
    externalData === false
      ? modelParts(model)
      : externalData === "auto" && !hasExternalData(model)
        ? singleFile(model)
        : undefined;
  const { parts, files } = inside
    ? { parts: inside, files: [] }
    : layout(model, name, Math.min(chunkBytes, MAX_MODEL_BYTES));
  return [{ file: name, parts }, ...files.map((data): PlannedFile => ({ file: data.location, parts: data.parts }))];
};

/** Bytes of all files that `saveModel` would write, without writing them. */
export const savedBytes = (model: Model, options: SaveOptions = {}): number =>
  filesOf(model, "model.onnx", options).reduce(
    (total, { parts }) => parts.reduce((sum, part) => sum + partLength(part), total),
    0,
  );

/**
 * Writes the model into a folder (Node). Every file is written under a temporary name beside its place and renamed when
 * all are complete, so that a failure or an abort leaves nothing behind.
 *
 * @throws EspalierError `EXISTS` without force, `TOO_LARGE` when `externalData: false` and one file cannot hold it,
 *   `ABORTED`, `IO`
 */
export const saveModel = async (model: Model, path: string, options: SaveOptions = {}): Promise<SavedModel> => {
  const { force = false, signal } = options;
  const node = await nodeFiles();
  const folder = node.path.dirname(path);
  const [own, ...others] = filesOf(model, node.path.basename(path), options);
  const all = [
    { file: path, parts: own.parts },
    ...others.map(({ file, parts }) => ({ file: node.path.join(folder, file), parts })),
  ];
  const taken = force ? undefined : all.find(({ file }) => node.fs.existsSync(file));
  if (taken) throw exists(taken.file);
  const suffix = `.${globalThis.crypto.randomUUID()}.tmp`;
  let bytes = 0;
  try {
    for (const { file, parts: content } of all) bytes += await writeFile(file + suffix, content, signal, node);
    // data first: a model never stands there without its weights
    for (const { file } of [...all].reverse()) node.fs.renameSync(file + suffix, file);
  } catch (cause) {
    for (const { file } of all) node.fs.rmSync(file + suffix, { force: true });
    if (cause instanceof EspalierError) throw cause;
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new EspalierError("IO", "core/onnx", `"${path}" could not be written: ${detail}.`, { cause });
  }
  return { path, files: all.map(({ file }) => file), bytes };
};

import { EspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import type { ExternalResolver } from "./decode-tensor.ts";
import { modelOf } from "./read.ts";
import {
  type ByteSource,
  blobSource,
  bytesSource,
  fileSource,
  type NodeFiles,
  nodeFiles,
  urlSource,
} from "./source.ts";
import { stripSource } from "./strip.ts";

export interface OpenOptions {
  /** External data by the `location` that the model gives; needed where there is no folder beside the model. */
  readonly externalData?: Readonly<Record<string, Blob | Uint8Array | URL | string>>;
}

export type ModelInput = string | URL | Blob | Uint8Array;

const MIN_MODEL_BYTES = 8;

const checkLocation = (location: string) => {
  const parts = location.split(/[/\\]/);
  const bad = location === "" || location.includes("\0") || /^([a-zA-Z]:|[/\\])/.test(location) || parts.includes("..");
  if (bad) {
    throw new EspalierError(
      "BAD_PATH",
      "core/onnx",
      `the model names external data "${location}", outside the model's folder. Refused; move the data beside the model.`,
    );
  }
};

/** Sources of external data in the folder of a model file; links out of it are refused. */
const folderResolver = (file: string, node: NodeFiles): ExternalResolver => {
  const { fs, path } = node;
  const known = new Map<string, ByteSource>();
  const folder = path.dirname(path.resolve(file));
  // a model that is itself a link (a download cache) may keep its data beside the file it points to
  const roots = [fs.realpathSync(folder), path.dirname(fs.realpathSync(file))];
  return (location) => {
    const found = known.get(location);
    if (found) return found;
    checkLocation(location);
    const data = path.join(folder, location);
    if (!fs.existsSync(data)) {
      throw new EspalierError(
        "NOT_FOUND",
        "core/onnx",
        `"${path.basename(file)}" keeps weights in "${location}", which is not beside it. Put the file there.`,
      );
    }
    const real = fs.realpathSync(data);
    if (!roots.some((root) => real.startsWith(root + path.sep))) checkLocation(path.join("..", location));
    const source = fileSource(data, node);
    known.set(location, source);
    return source;
  };
};

const toSource = async (input: Blob | Uint8Array | URL | string): Promise<ByteSource> => {
  if (input instanceof Uint8Array) return bytesSource(input);
  if (typeof Blob !== "undefined" && input instanceof Blob) return blobSource(input);
  return urlSource(input as URL | string);
};

const mapResolver = async (externalData: OpenOptions["externalData"] = {}, base?: URL): Promise<ExternalResolver> => {
  const sources = new Map<string, ByteSource>();
  for (const [location, input] of Object.entries(externalData)) {
    sources.set(location, await toSource(typeof input === "string" ? new URL(input, base) : input));
  }
  return (location) => {
    const source = sources.get(location);
    if (source) return source;
    checkLocation(location);
    throw new EspalierError(
      "NOT_FOUND",
      "core/onnx",
      `the model keeps weights in "${location}". Give it: openModel(model, { externalData: { "${location}": … } }).`,
    );
  };
};

const isNode = () => typeof process !== "undefined" && process.versions?.node !== undefined;

/**
 * A model whose weights are read when asked for. A string is a path in Node and a URL in a browser. Files over 2 GB and
 * external data are read in ranges; nothing is held but the graph.
 *
 * @throws EspalierError `NOT_FOUND`, `BAD_PATH` (also for external data outside the model's folder), `BAD_MODEL`,
 *   `BAD_TENSOR`, `IO`
 */
export const openModel = async (input: ModelInput, { externalData }: OpenOptions = {}): Promise<Model> => {
  const isFile = isNode() && (typeof input === "string" || (input instanceof URL && input.protocol === "file:"));
  let source: ByteSource;
  let external: ExternalResolver;
  if (isFile) {
    const file = input instanceof URL ? (await import("node:url")).fileURLToPath(input) : (input as string);
    const node = await nodeFiles();
    source = fileSource(file, node);
    external = externalData ? await mapResolver(externalData) : folderResolver(file, node);
  } else {
    const base = input instanceof URL ? input : typeof input === "string" ? new URL(input, location.href) : undefined;
    source = await toSource(base ?? (input as Blob | Uint8Array));
    external = await mapResolver(externalData, base);
  }
  if (source.size < MIN_MODEL_BYTES) {
    throw new EspalierError(
      "BAD_MODEL",
      "core/onnx",
      `"${source.name}" has ${source.size} bytes, which is no ONNX model. Check that the file is complete.`,
    );
  }
  return modelOf(await stripSource(source, "model"), source, external);
};

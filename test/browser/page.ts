// Runs in Chromium; see chromium.test.ts.
import { type Model, openModel, readOnnx } from "@espalier/core";
import * as ort from "onnxruntime-web/wasm";
import {
  calibrated,
  compressed,
  largestConstant,
  type ModelName,
  outputsOf,
  type PassName,
  sha256,
} from "./compressed.ts";

ort.env.wasm.wasmPaths = "/ort/";
ort.env.wasm.numThreads = 1;

const fetched = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());

const modelOf = async (name: ModelName): Promise<Model> => readOnnx(await fetched(`/models/${name}.onnx`));

/** SHA-256 of what each pass makes of a model. */
export const hashes = async (name: ModelName, passes: readonly PassName[]): Promise<Record<string, string>> => {
  const found: Record<string, string> = {};
  for (const pass of passes) found[pass] = await sha256(await compressed(await modelOf(name), pass));
  return found;
};

export const calibratedHash = async (name: ModelName): Promise<string> =>
  sha256(await calibrated(await modelOf(name), name, ort));

/** Outputs of a model that lies at a URL, in onnxruntime-web. */
export const run = async (url: string, name: ModelName): Promise<number[]> =>
  outputsOf(readOnnx(await fetched(url)), name, ort);

export interface Opened {
  readonly nodes: number;
  /** Bytes of the file that were read to open the model, and then to read its largest constant. */
  readonly opening: number;
  readonly reading: number;
  /** The largest constant. */
  readonly bytes: number;
  readonly hash: string;
}

const openWith = async (open: () => Promise<Model>, bytesRead: () => number): Promise<Opened> => {
  const model = await open();
  const opening = bytesRead();
  const bytes = await largestConstant(model);
  const reading = bytesRead() - opening;
  return { nodes: model.graph.nodes.length, opening, reading, bytes: bytes.length, hash: await sha256(bytes) };
};

/** Opens a Blob, counting what is read of it. */
const openBlob = async (blob: Blob): Promise<Opened> => {
  const { arrayBuffer } = Blob.prototype;
  let read = 0;
  Blob.prototype.arrayBuffer = function () {
    read += this.size;
    return arrayBuffer.call(this);
  };
  try {
    return await openWith(
      () => openModel(blob),
      () => read,
    );
  } finally {
    Blob.prototype.arrayBuffer = arrayBuffer;
  }
};

/** Opens the file that the user chose. */
export const openFile = (): Promise<Opened> => {
  const [file] = document.querySelector("input")?.files ?? [];
  return openBlob(file);
};

export const openBlobOf = async (url: string): Promise<Opened> => openBlob(new Blob([await fetched(url)]));

export const openBytes = async (url: string): Promise<Opened> => {
  const bytes = await fetched(url);
  return openWith(
    () => openModel(bytes),
    () => 0,
  );
};

/** What is read of a URL is counted by the server. */
export const openUrl = (url: string): Promise<Opened> =>
  openWith(
    () => openModel(url),
    () => 0,
  );

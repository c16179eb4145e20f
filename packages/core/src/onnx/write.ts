import { toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { subgraphsOf } from "../attrs.ts";
import { EspalierError } from "../errors.ts";
import type { Graph, Model } from "../model.ts";
import { isExternalTensor } from "./decode-tensor.ts";
import { encodeModel } from "./encode.ts";
import type { EncodeContext } from "./encode-tensor.ts";
import { sourceOf } from "./read.ts";
import { type Part, partLength } from "./source.ts";
import { splice } from "./splice.ts";

/** Protobuf's limit on one message. */
export const MAX_MODEL_BYTES = 2 ** 31 - 1;

/** Ranges are copied in pieces of this size. */
const CHUNK_BYTES = 1 << 22;

const partsBytes = (parts: readonly Part[]) => parts.reduce((sum, part) => sum + partLength(part), 0);

const graphsOf = (graph: Graph): readonly Graph[] => [
  graph,
  ...graph.nodes.flatMap((node) => subgraphsOf(node).flatMap((inner) => graphsOf(inner.graph))),
];

/** True when some weight of the model still lies in a file beside it. */
export const hasExternalData = (model: Model): boolean =>
  graphsOf(model.graph).some((graph) => [...graph.weights.values()].some(isExternalTensor));

/** The parts of the model file, in order. @throws EspalierError `TOO_LARGE` beyond 2 GB */
export const modelParts = (model: Model, place?: EncodeContext["place"]): readonly Part[] => {
  const source = sourceOf(model);
  if (source && !place && !hasExternalData(model)) return [{ source, offset: 0, length: source.size }];
  const context: EncodeContext = { payloads: [], ...(place && { place }) };
  const parts = splice(toBinary(ModelProtoSchema, encodeModel(model, context)), context.payloads, "model");
  const bytes = partsBytes(parts);
  if (bytes > MAX_MODEL_BYTES) {
    throw new EspalierError(
      "TOO_LARGE",
      "core/onnx",
      `the model takes ${bytes} bytes, and an ONNX file holds at most ${MAX_MODEL_BYTES}. Save it with externalData: true.`,
    );
  }
  return parts;
};

/** The bytes of parts, in chunks of at most 4 MiB, read as they are asked for. */
export async function* chunksOf(parts: readonly Part[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Uint8Array) {
      yield part;
      continue;
    }
    for (let done = 0; done < part.length; done += CHUNK_BYTES) {
      yield await part.source.read(part.offset + done, Math.min(CHUNK_BYTES, part.length - done));
    }
  }
}

/** The ONNX file of a model as a stream of chunks; memory holds one chunk. @throws EspalierError `TOO_LARGE` */
export const streamOnnx = (model: Model): AsyncGenerator<Uint8Array> => chunksOf(modelParts(model));

/**
 * The bytes of the model's ONNX file, external data put inside. A model that was not changed since it was read gives
 * the bytes it was read from.
 *
 * @throws EspalierError `TOO_LARGE` when one file cannot hold it
 */
export const writeOnnx = async (model: Model): Promise<Uint8Array<ArrayBuffer>> => {
  const parts = modelParts(model);
  const bytes = new Uint8Array(partsBytes(parts));
  let at = 0;
  for await (const chunk of chunksOf(parts)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
};

/** Bytes of the ONNX file that `writeOnnx` would give, without making it. */
export const onnxBytes = (model: Model): number => partsBytes(modelParts(model));

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProtoSchema } from "onnx-buf";
import { EspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import type { Tensor } from "../tensor.ts";
import { decodeModel } from "./decode.ts";
import { decodeTensor, type ExternalResolver } from "./decode-tensor.ts";
import { MAX_DEPTH } from "./schema.ts";
import { type ByteSource, bytesSource } from "./source.ts";
import { type Skeleton, stripBytes } from "./strip.ts";

/** Protobuf counts a message for each level and a few for types; files deeper than the reader allows stop there. */
const RECURSION_LIMIT = MAX_DEPTH + 10;

const parse = <D extends DescMessage>(schema: D, { bytes }: Skeleton): MessageShape<D> => {
  try {
    return fromBinary(schema, bytes, { recursionLimit: RECURSION_LIMIT });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new EspalierError(
      "BAD_MODEL",
      "core/onnx",
      `not an ONNX model, or a damaged one: ${detail}. Check that the file is complete.`,
      { cause },
    );
  }
};

const noExternal: ExternalResolver = (location) => {
  throw new EspalierError(
    "NOT_FOUND",
    "core/onnx",
    `the model keeps weights in "${location}", and bytes have no folder. Use openModel with a path, or with { externalData: { "${location}": … } }.`,
  );
};

/** What each model was read from, to copy it when it is written unchanged. */
const sources = new WeakMap<Model, ByteSource>();
export const sourceOf = (model: Model): ByteSource | undefined => sources.get(model);

/** The model of a skeleton; `source` is the whole file. */
export const modelOf = (skeleton: Skeleton, source: ByteSource, external: ExternalResolver): Model => {
  const message = parse(ModelProtoSchema, skeleton);
  const model = decodeModel(message, { payloads: skeleton.payloads, external });
  sources.set(model, source);
  return model;
};

/**
 * The model in the bytes of an ONNX file. Weights are views of `bytes`, which must not change afterwards.
 *
 * @throws EspalierError `BAD_MODEL` or `BAD_TENSOR` for damaged bytes, `NOT_FOUND` when weights lie in other files
 */
export const readOnnx = (bytes: Uint8Array): Model => {
  const source = bytesSource(bytes);
  return modelOf(stripBytes(source, bytes, "model"), source, noExternal);
};

/** The tensor in the bytes of a TensorProto file (`input_0.pb` of ONNX test data), with its name. */
export const readTensorProto = (bytes: Uint8Array): { readonly name: string; readonly tensor: Tensor } => {
  const skeleton = stripBytes(bytesSource(bytes), bytes, "tensor");
  const message = parse(TensorProtoSchema, skeleton);
  return {
    name: message.name,
    tensor: decodeTensor(message, { payloads: skeleton.payloads, external: noExternal }),
  };
};

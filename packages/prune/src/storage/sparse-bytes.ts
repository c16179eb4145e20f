import {
  type BrotliOptions,
  brotliBytes,
  checkAborted,
  type Model,
  onnxBytes,
  replaceWeights,
  storedBytes,
  streamOnnx,
  type Tensor,
  tensor,
  type WeightPlace,
  walkGraphs,
} from "@espalier/core";
import { bitmapOf, survivorsOf } from "./pack-sparse.ts";

export interface SparseBytes {
  /** The ONNX file as it is, every zero written out. */
  readonly expanded: number;
  /** The same after brotli; undefined where there is none (browsers). */
  readonly expandedBrotli: number | undefined;
  /** The file without the weights that are packed, and for each of those a bitmap and the values that are not zero. */
  readonly packed: number;
  readonly packedBrotli: number | undefined;
  /** How many weights are packed: those that take less so. */
  readonly weights: number;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/**
 * What a sparse model would take as bitmaps and values, beside what it takes. No file of this form is written: it is what
 * a format that stores zeros in one bit could reach.
 *
 * @throws EspalierError `ABORTED`
 */
export const sparseBytes = async (model: Model, options: BrotliOptions = {}): Promise<SparseBytes> => {
  const packable: { place: WeightPlace; tensor: Tensor }[] = [];
  let packed = 0;
  for (const { graph } of walkGraphs(model))
    for (const [name, weight] of graph.weights) {
      checkAborted("prune/storage", options.signal);
      const survivors = await survivorsOf(weight);
      if (!survivors) continue;
      const bytes = bitmapOf(weight.dims, survivors.places).length + survivors.values.byteLength;
      if (bytes >= storedBytes(weight)) continue;
      packable.push({ place: { name, owner: graph }, tensor: weight });
      packed += bytes;
    }
  const rest = replaceWeights(
    model,
    packable.map(({ place }) => [place, tensor("uint8", [0], new Uint8Array())] as const),
  );
  const chunks = async function* () {
    yield* streamOnnx(rest);
    for (const { tensor: weight } of packable) {
      const survivors = (await survivorsOf(weight))!;
      yield bitmapOf(weight.dims, survivors.places);
      yield bytesOf(survivors.values);
    }
  };
  return {
    expanded: onnxBytes(model),
    expandedBrotli: await brotliBytes(streamOnnx(model), options),
    packed: onnxBytes(rest) + packed,
    packedBrotli: await brotliBytes(chunks(), options),
    weights: packable.length,
  };
};

import type { Model } from "../model.ts";
import { sourceOf } from "../onnx/read.ts";
import { saveModel } from "../onnx/save.ts";
import { nodeFiles } from "../onnx/source.ts";
import { hasExternalData, onnxBytes, writeOnnx } from "../onnx/write.ts";
import type { Ort } from "./ort.ts";

/** What `InferenceSession.create` is given, and how to forget it. */
export interface SessionSource {
  readonly input: string | Uint8Array;
  remove(): Promise<void>;
}

/** Larger models reach onnxruntime-node through a file, so that they are not held twice more in memory. */
const LARGEST_BUFFER = 64e6;

/** The model with values of its main graph as further outputs; their types are left to the runtime. */
const withOutputs = (model: Model, names: readonly string[]): Model =>
  names.length === 0
    ? model
    : {
        ...model,
        graph: { ...model.graph, outputs: [...model.graph.outputs, ...names.map((name) => ({ name }))] },
      };

const throughFile = async (model: Model): Promise<SessionSource> => {
  const { fs, path } = await nodeFiles();
  const { tmpdir } = await import("node:os");
  const folder = fs.mkdtempSync(path.join(tmpdir(), "espalier-run-"));
  const remove = async () => fs.rmSync(folder, { recursive: true, force: true });
  try {
    const { path: input } = await saveModel(model, path.join(folder, "model.onnx"));
    return { input, remove };
  } catch (error) {
    await remove();
    throw error;
  }
};

/** True for onnxruntime-node. */
export const isNative = (ort: Ort) => ort.env?.versions?.node !== undefined;

/** A file for large models and those that lie in one already, in onnxruntime-node; bytes elsewhere. */
export const sessionSource = async (ort: Ort, model: Model, outputs: readonly string[]): Promise<SessionSource> => {
  const wanted = withOutputs(model, outputs);
  const file = sourceOf(model)?.path;
  if (isNative(ort) && file !== undefined && outputs.length === 0)
    return { input: file, remove: async () => undefined };
  const large = () => hasExternalData(wanted) || onnxBytes(wanted) > LARGEST_BUFFER;
  if (isNative(ort) && large()) return throughFile(wanted);
  return { input: await writeOnnx(wanted), remove: async () => undefined };
};

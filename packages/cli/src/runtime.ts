import { EspalierError, type Ort } from "@espalier/core";
import { firstLine, nodeCode } from "./errors.ts";
import { importer } from "./import-module.ts";

const load = async (name: string, own: () => Promise<unknown>, cwd: string, instead: string): Promise<Ort> => {
  try {
    const module = await importer(cwd, own)(name);
    return (module.default ?? module) as Ort;
  } catch (cause) {
    const missing = nodeCode(cause) === "ERR_MODULE_NOT_FOUND";
    const what = missing ? "is not installed" : `does not load: ${firstLine(cause)}`;
    const found = `${name} ${what}. Install it (npm install ${name})${instead}.`;
    throw new EspalierError("MISSING_NEED", "cli", found, { cause });
  }
};

/** onnxruntime-node, of the command or of the project in `cwd`. @throws EspalierError `MISSING_NEED` */
export const nodeRuntime = (cwd: string): Promise<Ort> =>
  load(
    "onnxruntime-node",
    () => import("onnxruntime-node"),
    cwd,
    ", or compress without running the model: --no-measure, and no --data",
  );

/** onnxruntime-web on one thread of wasm. @throws EspalierError `MISSING_NEED` */
export const webRuntime = async (cwd: string): Promise<Ort> => {
  const ort = await load("onnxruntime-web", () => import("onnxruntime-web"), cwd, ", or choose --target node");
  ort.env.wasm.numThreads = 1;
  return ort;
};

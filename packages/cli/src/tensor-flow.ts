import { EspalierError, type TensorFlow } from "@espalier/core";
import { registerEspalierKernels, type Tf } from "@espalier/hw-kernels/tfjs";
import { firstLine, nodeCode } from "./errors.ts";
import { importer } from "./import-module.ts";

const CORE = "@tensorflow/tfjs-core";
const WASM = "@tensorflow/tfjs-backend-wasm";
/** Backends that a project may have, the fastest first. */
const BACKENDS = [
  ["tensorflow", "@tensorflow/tfjs-node"],
  ["wasm", WASM],
  ["cpu", "@tensorflow/tfjs-backend-cpu"],
] as const;

interface Core extends TensorFlow {
  setBackend(name: string): Promise<boolean>;
}

/** TensorFlow.js of the project in `cwd`, on the fastest backend that it has. @throws EspalierError `MISSING_NEED` */
export const tensorFlow = async (cwd: string): Promise<TensorFlow> => {
  const load = importer(cwd);
  const missing = (cause: unknown) => {
    const what = nodeCode(cause) === "ERR_MODULE_NOT_FOUND" ? "is not installed" : `does not load: ${firstLine(cause)}`;
    const found = `the recipe trains, and TensorFlow.js ${what}. Install it: npm install ${CORE} ${WASM}.`;
    return new EspalierError("MISSING_NEED", "cli", found, { cause });
  };
  let core: Core;
  try {
    const module = await load(CORE);
    core = (module.default ?? module) as unknown as Core;
  } catch (cause) {
    throw missing(cause);
  }
  let reason: unknown;
  for (const [name, package_] of BACKENDS) {
    try {
      await load(package_);
      // it lacks what training needs, and ours are there
      if (package_ === WASM) await registerEspalierKernels(core as unknown as Tf, { threads: 1 });
      if (await core.setBackend(name)) return core;
    } catch (cause) {
      reason = cause;
    }
  }
  throw missing(reason);
};

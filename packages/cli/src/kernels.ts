import type { PassKernels } from "@espalier/core";

let made: Promise<PassKernels | undefined> | undefined;

/** Kernels for passes, made at the first call; undefined where there is no WebAssembly, without which passes work too. */
export const passKernels = (): Promise<PassKernels | undefined> => {
  made ??= import("@espalier/hw-kernels")
    .then(({ createKernels }) => createKernels({ threads: 1, prefer: "simd" }))
    .catch(() => undefined);
  return made;
};

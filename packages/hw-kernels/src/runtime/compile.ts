import { wasmModule } from "../asm/index.ts";
import { type Addresses, arrayKind, type Op, type Spec, type WasmVariant } from "../op.ts";
import type { Arena } from "./arena.ts";

/** A kernel that is ready: calls it with addresses in the memory that it was compiled for. */
export type Kernel = (call: Addresses<Spec>, scratch: number) => void;

/** The bytes of a variant's module. */
export const emit = (variant: WasmVariant, shared: boolean): Uint8Array<ArrayBuffer> => {
  const m = wasmModule({ shared });
  variant.emit(m);
  return m.bytes();
};

export const isShared = (memory: WebAssembly.Memory): boolean => !(memory.buffer instanceof ArrayBuffer);

/** A module's `run`, called with the op's arguments in order and then the scratch address. */
export const instantiate = (op: Op, module: WebAssembly.Module, memory: WebAssembly.Memory): Kernel => {
  const { run } = new WebAssembly.Instance(module, { env: { memory } }).exports as {
    run: (...args: number[]) => void;
  };
  const names = Object.keys(op.args);
  return (call, scratch) => run(...names.map((name) => call[name]!), scratch);
};

/** Runs a kernel with scratch memory of its own. */
export const runKernel = (arena: Arena, op: Op, kernel: Kernel, call: Addresses<Spec>): void => {
  const bytes = op.scratch?.(call) ?? 0;
  const scratch = bytes ? arena.allocate(bytes) : 0;
  try {
    kernel(call, scratch);
  } finally {
    if (scratch) arena.free(scratch);
  }
};

/** A deep copy of a call's arrays: kernels and reference each get their own. */
export const copyValues = <V extends Readonly<Record<string, unknown>>>(op: Op, values: V): V =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      arrayKind(op.args[name]!) ? (value as Float32Array).slice() : value,
    ]),
  ) as V;

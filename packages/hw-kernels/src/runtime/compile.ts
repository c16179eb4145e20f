import { wasmModule } from "../asm/index.ts";
import { type Addresses, arrayKind, type Op, type Spec, type WasmVariant } from "../op.ts";
import type { Arena } from "./arena.ts";
import type { Pool } from "./pool.ts";

/** A kernel that is ready, on the memory that it was compiled for. */
export interface Kernel {
  /** Takes the op's arguments in order, arrays as addresses, then the address of scratch memory. */
  readonly run: (...args: number[]) => void;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The bytes of a variant's module. */
export const emit = (variant: WasmVariant, shared: boolean): Uint8Array<ArrayBuffer> => {
  const m = wasmModule({ shared });
  variant.emit(m);
  return m.bytes();
};

const isShared = (memory: WebAssembly.Memory): boolean => !(memory.buffer instanceof ArrayBuffer);

/** Emits and compiles a variant. */
export const compile = (variant: WasmVariant, memory: WebAssembly.Memory): Kernel => {
  const bytes = emit(variant, isShared(memory));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return { run: exports.run as Kernel["run"], bytes };
};

/** About what it costs to wake workers and wait for them, ten times. */
const THREADS_FROM_NANOSECONDS = 100_000;

/** Runs a kernel, in parts beside each other where there is a pool and enough to do. Each part has scratch of its own. */
export const runKernel = (arena: Arena, op: Op, kernel: Kernel, call: Addresses<Spec>, pool?: Pool): void => {
  const large = pool && op.split && (op.work?.(call) ?? 0) >= THREADS_FROM_NANOSECONDS;
  const width = large ? pool.width() : 1;
  const parts = width > 1 ? op.split!(call, width) : [call];
  const names = Object.keys(op.args);
  const scratches: number[] = [];
  try {
    const calls = parts.map((part) => {
      const bytes = op.scratch?.(part) ?? 0;
      if (bytes) scratches.push(arena.allocate(bytes));
      return [...names.map((name) => part[name]!), bytes ? scratches.at(-1)! : 0];
    });
    if (calls.length > 1) pool!.run(kernel.bytes, calls, kernel.run);
    else kernel.run(...calls[0]!);
  } finally {
    scratches.forEach(arena.free);
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

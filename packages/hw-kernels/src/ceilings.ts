import { type Body, f32x4, type Local, v128, wasmModule } from "./asm/index.ts";
import type { Level } from "./op.ts";
import { multiplyAdd } from "./ops/vectors.ts";

/** The most that one thread of this machine does in WebAssembly. */
export interface Ceilings {
  /** float32 operations, two to a multiply-add, in registers: GFLOP/s. */
  readonly gflops: number;
  /** Reading memory that is in no cache: GB/s. */
  readonly gigabytesPerSecond: number;
}

const SUMS = 12;
const TURNS = 50_000;
const PAGE = 65536;
const MEGABYTE = 2 ** 20;
const READ_BYTES = 256 * MEGABYTE;
const LOADS = 8;
const VECTOR = 16;
/** Enough for the engine to replace its first, slow code. */
const COMPUTE_ROUNDS = 200;
const READ_ROUNDS = 6;
const MILLIONS = 1e6;

/** A module with `compute(turns)`, independent multiply-adds in registers, and `read(bytes)`, which sums memory. */
const module = (level: Level) => {
  const m = wasmModule();
  const madd = multiplyAdd[level];
  const stored = (f: Body, sums: readonly Local<"v128">[]) => {
    for (const sum of sums) f.do(v128.store(0, f32x4.add(v128.load(0), sum)));
  };
  m.func("compute", { turns: "i32" }, (f, { turns }) => {
    const sums = f.locals("v128", SUMS);
    const [a, b] = [f.let(v128.load(VECTOR)), f.let(v128.load(2 * VECTOR))];
    f.repeat(turns, 1, () => {
      // The product changes with the sum, or the engine would take it out of the loop.
      for (const sum of sums) f.set(sum, madd(sum, a, b));
    });
    stored(f, sums);
  });
  m.func("read", { bytes: "i32" }, (f, { bytes }) => {
    const sums = f.locals("v128", LOADS);
    const at = f.local("i32");
    f.for(at, 0, bytes, LOADS * VECTOR, () => {
      for (const [i, sum] of sums.entries()) f.set(sum, f32x4.add(sum, v128.load(at, i * VECTOR)));
    });
    stored(f, sums);
  });
  return m.bytes();
};

/** Measures the ceilings; takes about a second and 256 MiB. `now` gives milliseconds. */
export const measureCeilings = (level: Level, now: () => number = () => performance.now()): Ceilings => {
  const memory = new WebAssembly.Memory({ initial: READ_BYTES / PAGE });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module(level)), { env: { memory } });
  const { compute, read } = exports as Record<"compute" | "read", (count: number) => void>;
  new Uint8Array(memory.buffer).fill(0);
  const shortest = (rounds: number, run: () => void) => {
    let best = Infinity;
    for (let i = 0; i < rounds; i++) {
      const start = now();
      run();
      best = Math.min(best, now() - start);
    }
    return best;
  };
  const computing = shortest(COMPUTE_ROUNDS, () => compute(TURNS));
  const reading = shortest(READ_ROUNDS, () => read(READ_BYTES));
  return { gflops: (2 * 4 * SUMS * TURNS) / computing / MILLIONS, gigabytesPerSecond: READ_BYTES / reading / MILLIONS };
};

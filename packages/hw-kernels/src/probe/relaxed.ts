import { type Expr, f32x4, i8x16, i32x4, v128, wasmModule } from "../asm/index.ts";

/** What relaxed SIMD is and does in this engine. */
export interface RelaxedReport {
  readonly available: boolean;
  /** Why not, or what is special. */
  readonly reason: string;
  /** The second operand's bytes with bit 7 set: signed (sdot), unsigned (usdot), or unsigned with saturating pairs. */
  readonly dot?: "signed" | "unsigned" | "saturating";
  /** Multiply and add round once. */
  readonly fma?: boolean;
  /** What a swizzle gives for lane numbers 16..127. */
  readonly swizzle?: "zero" | "modulo";
}

const OUT = 0;
const A = 16;
const B = 32;
const C = 48;

/** A module whose functions load operands at A, B and C and store what they compute at OUT. */
const probeModule = (): Uint8Array<ArrayBuffer> => {
  const m = wasmModule();
  const [a, b, c] = [v128.load(A), v128.load(B), v128.load(C)];
  const store = (name: string, value: Expr<"v128">) => m.func(name, {}, (f) => f.do(v128.store(OUT, value)));
  // Operands straight from the stack, and from variables: one compiler has been wrong for the first.
  store("dotOnStack", i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, i32x4.add(c, i32x4.const(0))));
  m.func("dot", {}, (f) => {
    const [x, y, z] = [f.let(a), f.let(b), f.let(c)];
    f.do(v128.store(OUT, i32x4.relaxed_dot_i8x16_i7x16_add_s(x, y, z)));
  });
  store("madd", f32x4.relaxed_madd(a, b, c));
  store("swizzle", i8x16.relaxed_swizzle(a, b));
  return m.bytes();
};

/** 16777218 * 3 + 3: rounded once, and with the product rounded first. */
const FUSED = 50331656;
const SEPARATE = 50331660;

const ramp = (factor: number, offset: number, modulus: number) =>
  Array.from({ length: 16 }, (_, i) => ((i * factor + offset) % modulus) - (modulus > 128 ? 128 : 0));
/** Operands whose dot is the same everywhere: a in -128..127, b in 0..127. */
const portable = { a: ramp(53, 11, 256), b: ramp(37, 90, 128), c: [1, -2, 3_000_000, -4_000_000] };
const portableDot = [0, 1, 2, 3].map((lane) =>
  [0, 1, 2, 3].reduce((sum, j) => sum + portable.a[lane * 4 + j]! * portable.b[lane * 4 + j]!, portable.c[lane]!),
);

/** Which relaxed instructions there are, and what they do where hosts may differ. Runs them; 1 ms. */
export const probeRelaxed = (): RelaxedReport => {
  const bytes = probeModule();
  if (!WebAssembly.validate(bytes)) return { available: false, reason: "this engine does not validate it" };
  const memory = new WebAssembly.Memory({ initial: 1 });
  const run = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports as Record<
    "dotOnStack" | "dot" | "madd" | "swizzle",
    () => void
  >;
  const [i8, i32s, f32s] = [Int8Array, Int32Array, Float32Array].map((kind) => new kind(memory.buffer)) as [
    Int8Array,
    Int32Array,
    Float32Array,
  ];
  const dot = (name: "dot" | "dotOnStack", a: number[], b: number[], c: number[]) => {
    i8.set(a, A);
    i8.set(b, B);
    i32s.set(c, C / 4);
    run[name]();
    return [...i32s.subarray(0, 4)];
  };
  for (const name of ["dot", "dotOnStack"] as const) {
    const got = dot(name, portable.a, portable.b, portable.c);
    if (got.join() !== portableDot.join())
      return { available: false, reason: `its dot is wrong in this engine: ${got} where ${portableDot} is right` };
  }

  const fill = (x: number) => Array<number>(16).fill(x);
  const one = dot("dot", [1, 0, 0, 0, ...fill(0)].slice(0, 16), fill(-128), [0, 0, 0, 0])[0];
  const pairs = dot("dot", fill(-128), fill(-1), [0, 0, 0, 0])[0];
  const dotKind = one === -128 ? "signed" : pairs === 4 * -128 * 255 ? "unsigned" : "saturating";

  f32s.set([16777218], A / 4);
  f32s.set([3], B / 4);
  f32s.set([3], C / 4);
  run.madd();
  const sum = f32s[0];
  if (sum !== FUSED && sum !== SEPARATE)
    return { available: false, reason: `its multiply-add gives ${sum}, which is neither of the permitted results` };

  i8.set(ramp(1, 1, 128), A);
  i8.set(fill(17), B);
  run.swizzle();
  const swizzle = i8[0] === 0 ? "zero" : "modulo";
  return { available: true, reason: "validated and tried", dot: dotKind, fma: sum === FUSED, swizzle };
};

import { type Body, type Expr, f32, f32x4, i32, type Local, type Module, v128 } from "../../asm/index.ts";
import { type KernelLocals, kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { clampVector, multiplyAdd, sumLanes } from "../vectors.ts";
import { GROUP, gemvArgs } from "./op.ts";

type Args = KernelLocals<typeof gemvArgs>;
const FLOAT = 4;
const VECTOR = 16;
/** Rows of W whose multiples are added to y in one pass over it. */
const TOGETHER = 8;

/** for (; i <= count - step; i += step) body */
const steps = (f: Body, i: Local<"i32">, count: Local<"i32">, step: number, body: () => void) =>
  f.while(i32.le_s(i, i32.sub(count, step)), () => {
    body();
    f.add(i, step);
  });

/** y = clamp(alpha * sum + beta * y + bias) for one number. */
const finish = (f: Body, a: Args, sum: Local<"f32">, y: Local<"i32">, bias: Local<"i32">) => {
  f.set(sum, f32.mul(sum, a.alpha));
  f.if(f32.ne(a.beta, 0), () => f.set(sum, f32.add(sum, f32.mul(a.beta, f32.load(y)))));
  f.if(a.bias, () => f.set(sum, f32.add(sum, f32.load(bias))));
  const clamped = clampVector(f32x4.splat(sum), f32x4.splat(a.low), f32x4.splat(a.high));
  f.do(f32.store(y, f32x4.extract_lane(clamped, 0)));
};

/** y_r = sum over k of w[r, k] x[k], for `count` rows from `row` on; four or eight columns a step. */
const dotRows = (f: Body, a: Args, level: Level, count: number, row: Local<"i32">) => {
  const madd = multiplyAdd[level];
  const pointers = f.locals("i32", count);
  const sums = f.locals("v128", 2 * count);
  const [x0, x1] = [f.local("v128"), f.local("v128")];
  const [x, k] = [f.local("i32"), f.local("i32")];
  const rowBytes = f.let(i32.shl(a.stride, 2));
  for (const [r, p] of pointers.entries()) f.set(p, i32.add(a.w, i32.mul(i32.add(row, r), rowBytes)));
  for (const sum of sums) f.set(sum, f32x4.const(0));
  f.set(x, a.x);
  f.set(k, 0);
  const advance = (bytes: number) => {
    for (const p of [x, ...pointers]) f.add(p, bytes);
  };
  steps(f, k, a.columns, 8, () => {
    f.set(x0, v128.load(x));
    f.set(x1, v128.load(x, VECTOR));
    for (const [r, p] of pointers.entries()) {
      f.set(sums[r]!, madd(v128.load(p), x0, sums[r]!));
      f.set(sums[count + r]!, madd(v128.load(p, VECTOR), x1, sums[count + r]!));
    }
    advance(2 * VECTOR);
  });
  steps(f, k, a.columns, 4, () => {
    f.set(x0, v128.load(x));
    for (const [r, p] of pointers.entries()) f.set(sums[r]!, madd(v128.load(p), x0, sums[r]!));
    advance(VECTOR);
  });
  steps(f, k, a.columns, 1, () => {
    f.set(x0, v128.load32_zero(x));
    for (const [r, p] of pointers.entries()) f.set(sums[r]!, madd(v128.load32_zero(p), x0, sums[r]!));
    advance(FLOAT);
  });
  const sum = f.local("f32");
  const [y, bias] = [f.local("i32"), f.local("i32")];
  for (let r = 0; r < count; r++) {
    f.set(x0, f32x4.add(sums[r]!, sums[count + r]!));
    f.set(sum, f32x4.extract_lane(sumLanes(x0, x1, f.set), 0));
    f.set(y, i32.add(a.y, i32.shl(i32.add(row, r), 2)));
    f.set(bias, i32.add(a.bias, i32.shl(i32.add(row, r), 2)));
    finish(f, a, sum, y, bias);
  }
};

/** Over the columns of y: `vector` for four at once at byte offset `at`, `single` for each that is left. */
const overColumns = (f: Body, a: Args, at: Local<"i32">, vector: () => void, single: () => void) => {
  const k = f.local("i32");
  f.set(at, 0);
  f.set(k, 0);
  steps(f, k, a.columns, 4, () => {
    vector();
    f.add(at, VECTOR);
  });
  steps(f, k, a.columns, 1, () => {
    single();
    f.add(at, FLOAT);
  });
};

/** y += alpha * x[row + r] * w[row + r, :], for `count` rows. */
const addRows = (f: Body, a: Args, level: Level, count: number, row: Local<"i32">) => {
  const madd = multiplyAdd[level];
  const factors = f.locals("v128", count);
  const pointers = f.locals("i32", count);
  const sum = f.local("v128");
  const at = f.local("i32");
  const rowBytes = f.let(i32.shl(a.stride, 2));
  for (const [r, factor] of factors.entries()) {
    const x = f32.load(i32.add(a.x, i32.shl(row, 2)), r * FLOAT);
    f.set(factor, f32x4.splat(f32.mul(x, a.alpha)));
    f.set(pointers[r]!, i32.add(a.w, i32.mul(i32.add(row, r), rowBytes)));
  }
  const y = i32.add(a.y, at);
  const add = (load: (p: Local<"i32">) => Expr<"v128">) => {
    for (const [r, p] of pointers.entries()) f.set(sum, madd(factors[r]!, load(p), sum));
  };
  overColumns(
    f,
    a,
    at,
    () => {
      f.set(sum, v128.load(y));
      add((p) => v128.load(i32.add(p, at)));
      f.do(v128.store(y, sum));
    },
    () => {
      f.set(sum, v128.load32_zero(y));
      add((p) => v128.load32_zero(i32.add(p, at)));
      f.do(v128.store32_lane(y, sum, 0));
    },
  );
};

/** y = beta * y + bias before the rows are added; clamped after. */
const prepare = (f: Body, a: Args) => {
  const at = f.local("i32");
  const [beta, value] = [f.let(f32x4.splat(a.beta)), f.local("v128")];
  const y = i32.add(a.y, at);
  const bias = i32.add(a.bias, at);
  const start = (load: typeof v128.load) => {
    f.set(value, f32x4.const(0));
    f.if(f32.ne(a.beta, 0), () => f.set(value, f32x4.mul(beta, load(y))));
    f.if(a.bias, () => f.set(value, f32x4.add(value, load(bias))));
  };
  overColumns(
    f,
    a,
    at,
    () => {
      start(v128.load);
      f.do(v128.store(y, value));
    },
    () => {
      start(v128.load32_zero);
      f.do(v128.store32_lane(y, value, 0));
    },
  );
};

const clampAll = (f: Body, a: Args) => {
  const at = f.local("i32");
  const [low, high] = [f.let(f32x4.splat(a.low)), f.let(f32x4.splat(a.high))];
  const y = i32.add(a.y, at);
  overColumns(
    f,
    a,
    at,
    () => f.do(v128.store(y, clampVector(v128.load(y), low, high))),
    () => f.do(v128.store32_lane(y, clampVector(v128.load32_zero(y), low, high), 0)),
  );
};

const emit = (level: Level) => (m: Module) => {
  const parameters = kernelParameters(gemvArgs);
  const plain = m.func("plain", parameters, (f, a) => {
    const row = f.local("i32");
    steps(f, row, a.rows, GROUP, () => dotRows(f, a, level, GROUP, row));
    steps(f, row, a.rows, 1, () => dotRows(f, a, level, 1, row));
  });
  const transposed = m.func("transposed", parameters, (f, a) => {
    const row = f.local("i32");
    prepare(f, a);
    steps(f, row, a.rows, TOGETHER, () => addRows(f, a, level, TOGETHER, row));
    steps(f, row, a.rows, 1, () => addRows(f, a, level, 1, row));
    clampAll(f, a);
  });
  m.func("run", parameters, (f, a) => {
    f.if(
      a.transposed,
      () => f.do(transposed.call(a)),
      () => f.do(plain.call(a)),
    );
  });
};

export const gemvWasm: readonly WasmVariant[] = [
  { name: "rows by 4", level: "simd", spare: true, emit: emit("simd") },
  { name: "rows by 4, fma", level: "relaxed", emit: emit("relaxed") },
];

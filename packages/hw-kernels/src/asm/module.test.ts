import { describe, expect, it } from "vitest";
import { dump } from "./dump.ts";
import { f32, f32x4, i32, i64, type Module, select, tee, v128, wasmModule } from "./index.ts";

const memoryOf = (pages = 1) => new WebAssembly.Memory({ initial: pages });
type Exports = Record<string, (...args: (number | bigint)[]) => number | bigint>;
const exportsOf = (m: Module, memory = memoryOf()) =>
  new WebAssembly.Instance(new WebAssembly.Module(m.bytes()), { env: { memory } }).exports as Exports;

/** y[i] += alpha * x[i], four at a time. */
const axpy = (options?: { shared: boolean }) => {
  const m = wasmModule(options);
  m.func("axpy", { x: "i32", y: "i32", count: "i32", alpha: "f32" }, (f, { x, y, count, alpha }) => {
    const factor = f.let(f32x4.splat(alpha));
    f.repeat(count, 4, () => {
      f.do(v128.store(y, f32x4.add(v128.load(y), f32x4.mul(factor, v128.load(x)))));
      f.add(x, 16);
      f.add(y, 16);
    });
  });
  return m;
};

describe("wasmModule", () => {
  it("emits a loop over vectors that validates and computes", () => {
    const memory = memoryOf();
    const floats = new Float32Array(memory.buffer);
    floats.set([1, 2, 3, 4, 5, 6, 7, 8]);
    floats.fill(10, 8, 16);
    exportsOf(axpy(), memory).axpy!(0, 32, 8, 0.5);
    expect([...floats.subarray(8, 16)]).toEqual([10.5, 11, 11.5, 12, 12.5, 13, 13.5, 14]);
  });

  it("imports a shared memory when told to, and only then", () => {
    const shared = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
    expect(() => exportsOf(axpy({ shared: true }), shared)).not.toThrow();
    expect(() => exportsOf(axpy(), shared)).toThrow(WebAssembly.LinkError);
    expect(() => exportsOf(axpy({ shared: true }))).toThrow(WebAssembly.LinkError);
  });

  it("calls functions by argument names, whatever their order", () => {
    const m = wasmModule();
    const minus = m.func("minus", { a: "i32", b: "i32" }, (_, { a, b }) => i32.sub(a, b));
    m.func("twice", { x: "i32" }, (_, { x }) => minus.call({ b: x, a: i32.mul(x, 3) }));
    expect(exportsOf(m).twice!(21)).toBe(42);
  });

  it("branches out of blocks and nested loops by label", () => {
    const m = wasmModule();
    m.func("firstSquareAbove", { limit: "i32" }, (f, { limit }) => {
      const i = f.local("i32");
      f.block((leave) => {
        f.loop((again) => {
          f.if(i32.gt_s(i32.mul(i, i), limit), () => f.br(leave));
          f.add(i, 1);
          f.br(again);
        });
      });
      return i32.mul(i, i);
    });
    expect([0, 1, 50].map((n) => exportsOf(m).firstSquareAbove!(n))).toEqual([1, 4, 64]);
  });

  it.each([
    [0, 0],
    [1, 0],
    [5, 10],
  ])("a for loop to %i sums to %i, not entered when empty", (end, sum) => {
    const m = wasmModule();
    m.func("sum", { end: "i32" }, (f, { end }) => {
      const i = f.local("i32");
      const total = f.local("i32");
      f.for(i, 0, end, 1, () => f.add(total, i));
      return total;
    });
    expect(exportsOf(m).sum!(end)).toBe(sum);
  });

  it("takes else branches, selects and tees", () => {
    const m = wasmModule();
    m.func("sign", { x: "f32" }, (f, { x }) => {
      const answer = f.local("f32");
      const doubled = f.local("f32");
      f.if(
        f32.lt(tee(doubled, f32.add(x, x)), 0),
        () => f.set(answer, -1),
        () => f.set(answer, select(f32.const(1), f32.const(0), f32.gt(doubled, 0))),
      );
      return answer;
    });
    expect([-3, 0, 2].map((x) => exportsOf(m).sign!(x))).toEqual([-1, 0, 1]);
  });

  it("sets constants once, at the start, also those first used in a loop", () => {
    const m = wasmModule();
    m.func("sum", { count: "i32" }, (f, { count }) => {
      const total = f.local("v128");
      f.repeat(count, 1, () => {
        f.set(total, f32x4.add(total, f.constant(f32x4.const(0.5))));
        f.set(total, f32x4.add(total, f.constant(f32x4.const(0.5))));
      });
      return f32x4.extract_lane(total, 3);
    });
    expect(exportsOf(m).sum!(4)).toBe(4);
    const text = dump(m.bytes());
    expect(text.match(/v128\.const/g)).toHaveLength(1);
    expect(text.indexOf("v128.const")).toBeLessThan(text.indexOf("loop"));
  });

  it.each([0, 63, 64, -64, -65, 8191, 2 ** 31 - 1, -(2 ** 31), 2 ** 32 - 1])("i32 constant %i survives", (value) => {
    const m = wasmModule();
    m.func("get", {}, () => i32.const(value));
    expect(exportsOf(m).get!()).toBe(value | 0);
  });

  it.each([0n, -1n, 2n ** 62n, -(2n ** 63n)])("i64 constant %i survives", (value) => {
    const m = wasmModule();
    m.func("get", {}, () => i64.const(value));
    expect(exportsOf(m).get!()).toBe(value);
  });

  it("emits the same bytes for the same calls", () => {
    expect(axpy().bytes()).toEqual(axpy().bytes());
  });
});

describe("dump", () => {
  it("reads the bytes back as text, one instruction a line", () => {
    expect(dump(axpy().bytes())).toBe(`(module
  (import "env" "memory" (memory 1))
  (func (export "axpy") (param i32 i32 i32 f32)
    (local v128)
    local.get 3
    f32x4.splat
    local.set 4
    loop
      local.get 1
      local.get 1
      v128.load
      local.get 4
      local.get 0
      v128.load
      f32x4.mul
      f32x4.add
      v128.store
      local.get 0
      i32.const 16
      i32.add
      local.set 0
      local.get 1
      i32.const 16
      i32.add
      local.set 1
      local.get 2
      i32.const 4
      i32.sub
      local.tee 2
      br_if 0
    end))
`);
  });

  it("shows constants, offsets, lanes, branches and shared memory", () => {
    const m = wasmModule({ shared: true });
    m.func("all", { p: "i32" }, (f, { p }) => {
      const v = f.let(f32x4.const([0, 1, 2, 3]));
      f.if(
        p,
        () => f.do(v128.store32_lane(p, v, 3, 8)),
        () => f.do(f32.store(p, f32.const(0.5), 4)),
      );
      return f32x4.extract_lane(v, 2);
    });
    expect(dump(m.bytes())).toBe(`(module
  (import "env" "memory" (memory 1 65536 shared))
  (func (export "all") (param i32) (result f32)
    (local v128)
    v128.const i32x4 0x00000000 0x3f800000 0x40000000 0x40400000
    local.set 1
    local.get 0
    if
      local.get 0
      local.get 1
      v128.store32_lane offset=8 3
    else
      local.get 0
      f32.const 0.5
      f32.store offset=4
    end
    local.get 1
    f32x4.extract_lane 2))
`);
  });
});

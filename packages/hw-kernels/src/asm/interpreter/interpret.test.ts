import { describe, expect, it } from "vitest";
import { f32x4, i32, i32x4, v128, wasmModule } from "../index.ts";
import { interpret } from "./interpret.ts";
import { fusedDouble, fusedFloat } from "./numeric.ts";
import { hosts } from "./relaxed-semantics.ts";

const [sdot, vnni, saturating] = Object.values(hosts);
const SIZE = 256;

describe("interpret", () => {
  it("runs loops, calls, branches and stores as an engine does", () => {
    const m = wasmModule();
    const square = m.func("square", { x: "i32" }, (_, { x }) => i32.mul(x, x));
    m.func("run", { out: "i32", count: "i32" }, (f, { out, count }) => {
      const i = f.local("i32");
      f.block((leave) => {
        f.for(i, 0, count, 1, () => {
          f.if(i32.eq(i, 5), () => f.br(leave));
          f.if(
            i32.and(i, 1),
            () => f.do(i32.store(i32.add(out, i32.shl(i, 2)), square.call({ x: i }))),
            () => f.do(i32.store(i32.add(out, i32.shl(i, 2)), -1)),
          );
        });
      });
    });
    const memory = new WebAssembly.Memory({ initial: 1 });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(m.bytes()), { env: { memory } });
    (instance.exports.run as (out: number, count: number) => void)(16, 9);
    const bytes = new Uint8Array(SIZE);
    interpret(m.bytes(), bytes, sdot!).run!(16, 9);
    expect(bytes).toEqual(new Uint8Array(memory.buffer.slice(0, SIZE)));
  });

  it("refuses loads outside the memory", () => {
    const m = wasmModule();
    m.func("run", {}, (f) => f.do(v128.store(0, v128.load(SIZE - 8))));
    expect(() => interpret(m.bytes(), new Uint8Array(SIZE), sdot!).run!()).toThrow(RangeError);
  });

  const dot = (first: number, second: number) => {
    const m = wasmModule();
    const splat = (x: number) => i32x4.const(((x & 255) * 0x01010101) | 0);
    m.func("run", {}, (f) =>
      f.do(v128.store(0, i32x4.relaxed_dot_i8x16_i7x16_add_s(splat(first), splat(second), i32x4.const(1)))),
    );
    return [sdot!, vnni!, saturating!].map((host) => {
      const bytes = new Uint8Array(SIZE);
      interpret(m.bytes(), bytes, host).run!();
      return new Int32Array(bytes.buffer)[0];
    });
  };

  it("relaxed dot is the same on every host while the second operand stays in 0..127", () => {
    expect(dot(-128, 127)).toEqual([-65023, -65023, -65023]);
  });

  it("relaxed dot reads bit 7 of the second operand as the host does, and saturates pairs where it does", () => {
    expect(dot(127, -1)).toEqual([-507, 129541, 65535]);
  });

  it("madd rounds once or twice as the host does", () => {
    const m = wasmModule();
    const [a, b] = [f32x4.const(16777218), f32x4.const(3)];
    m.func("run", {}, (f) => f.do(v128.store(0, f32x4.relaxed_madd(a, b, b))));
    const values = [sdot!, saturating!].map((host) => {
      const bytes = new Uint8Array(SIZE);
      interpret(m.bytes(), bytes, host).run!();
      return new Float32Array(bytes.buffer)[0];
    });
    expect(values).toEqual([50331656, 50331660]);
  });
});

describe("fused multiply and add", () => {
  it("rounds a float32 result once where rounding through float64 would round twice", () => {
    // a * b = 2^-24 + 2^-70, as 8392705 * 8384513 = 2^46 + 1: just above half a unit of 1.
    const [a, b] = [8392705 * 2 ** -35, 8384513 * 2 ** -35];
    expect(Math.fround(a * b + 1)).toBe(1);
    expect(fusedFloat(a, b, 1)).toBe(1 + 2 ** -23);
    expect(fusedFloat(-a, b, -1)).toBe(-1 - 2 ** -23);
    expect(fusedFloat(2 ** -12, 2 ** -12, 1)).toBe(1);
  });

  it("rounds a float64 result once", () => {
    const a = 1 + 2 ** -30;
    expect(fusedDouble(a, a, -(1 + 2 ** -29))).toBe(2 ** -60);
    expect(a * a - (1 + 2 ** -29)).toBe(0);
    expect(fusedDouble(3, 5, -15)).toBe(0);
    expect(fusedDouble(2 ** -540, 2 ** -540, 2 ** -1074)).toBe(2 ** -1074);
    expect(fusedDouble(Number.POSITIVE_INFINITY, 1, 1)).toBe(Number.POSITIVE_INFINITY);
  });
});

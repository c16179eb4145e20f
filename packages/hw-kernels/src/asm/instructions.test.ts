import { describe, expect, it } from "vitest";
import { seeded } from "../ops/seeded.ts";
import * as asm from "./index.ts";
import { tables } from "./instructions.ts";
import { interpret } from "./interpreter/interpret.ts";
import { hosts } from "./interpreter/relaxed-semantics.ts";

const types = { i: "i32", l: "i64", f: "f32", d: "f64", v: "v128" } as const;
const SLOT = 16;
const RESULT = 64;
const USED = 96;
const IMMEDIATES = 3;
const TRIALS = 12;

const spaces = { ...asm };
// biome-ignore lint/suspicious/noExplicitAny: instructions are looked up by name.
const find = (name: string): ((...args: any[]) => asm.Expr<any>) => {
  const [space, instruction] = name.split(".") as ["i32", "add"];
  return spaces[space][instruction];
};

/** A function that loads the operands from memory, executes one instruction and stores its result. */
const moduleFor = (name: string, signature: string, immediates: unknown[]) => {
  const [input = "", output = ""] = signature.split(":");
  const m = asm.wasmModule();
  m.func("run", {}, (f) => {
    const operands = [...input].map((letter, i) => {
      if (name.startsWith("memory.")) return [5, 40, 20][i];
      if (i === 0 && /\.(load|store)/.test(name)) return 5;
      return find(`${types[letter as "i"]}.load`)(i * SLOT);
    });
    const result = find(name)(...operands, ...immediates);
    f.do(output ? find(`${types[output as "i"]}.store`)(RESULT, result) : result);
  });
  return m.bytes();
};

const immediatesFor = (immediate: string | undefined, lanes: number, random: () => number): unknown[] => {
  const kind = immediate?.split(":")[0];
  const lane = Math.floor(random() * lanes);
  if (kind === "mem") return [3];
  if (kind === "lane") return [lane];
  if (kind === "memlane") return [lane, 3];
  if (kind === "bytes") return [Array.from({ length: 16 }, () => Math.floor(random() * 32))];
  return [];
};
const lanesOf = (name: string) => Number(/x(\d+)/.exec(name)?.[1] ?? 128 / Number(/(\d+)_lane/.exec(name)?.[1] ?? 128));

const special = [
  0,
  -0,
  1,
  -1,
  0.5,
  1.5,
  2.5,
  -2.5,
  127,
  255.5,
  1e10,
  -1e10,
  2 ** 31,
  2 ** -140,
  Infinity,
  -Infinity,
  NaN,
];

/** Random bytes; in every other trial numbers where roundings, ranges and signs matter. */
const operandBytes = (name: string, trial: number, random: () => number) => {
  const bytes = Uint8Array.from({ length: USED }, () => Math.floor(random() * 256));
  const traps = /^i\d\d\.trunc_f/.test(name);
  if (trial % 2 && !traps) return bytes;
  const view = new DataView(bytes.buffer);
  const isDouble = /f64/.test(name) && !name.includes("promote");
  for (let at = 0; at < RESULT; at += isDouble ? 8 : 4) {
    const value = traps ? random() * 1000 : special[Math.floor(random() * special.length)]!;
    if (isDouble) view.setFloat64(at, value, true);
    else if (/f32/.test(name)) view.setFloat32(at, value, true);
  }
  return bytes;
};

/** Numbers as results are compared by value, so that all NaNs are one. */
const readable = (name: string, bytes: Uint8Array) => {
  const kind = name.startsWith("f32") ? Float32Array : name.startsWith("f64") ? Float64Array : Uint8Array;
  return [...new kind(bytes.slice(0, USED).buffer)];
};

/** Asserts that memory after one instruction in the engine is what one of the hosts would leave, trial by trial. */
const compare = (name: string, signature: string, immediate: string | undefined, hostNames: string[]) => {
  const random = seeded(name.length);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const bytes = new Uint8Array(memory.buffer, 0, USED);
  const copy = new Uint8Array(USED);
  for (let set = 0; set < (immediate ? IMMEDIATES : 1); set++) {
    const module = moduleFor(name, signature, immediatesFor(immediate, lanesOf(name), random));
    const { run } = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } }).exports;
    const runs = hostNames.map((host) => interpret(module, copy, hosts[host]!).run!);
    for (let trial = 0; trial < TRIALS; trial++) {
      const start = operandBytes(name, trial, random);
      bytes.set(start);
      (run as () => void)();
      const permitted = runs.map((interpreted) => {
        copy.set(start);
        interpreted();
        return readable(name, copy);
      });
      expect(permitted).toContainEqual(readable(name, bytes));
    }
  }
};

const hostNames = Object.keys(hosts);
const relaxedWorks = WebAssembly.validate(moduleFor("i8x16.relaxed_swizzle", "vv:v", []));

describe("instructions", () => {
  it("SIMD128 has 236 opcodes and relaxed SIMD 20, each once", () => {
    const counts = tables.map(({ rows }) => new Set(Object.values(rows).map(([code]) => code)).size);
    expect(counts.slice(2)).toEqual([236, 20]);
    expect(tables.map(({ rows }) => Object.keys(rows).length)).toEqual(counts);
  });

  for (const { rows } of tables)
    for (const [name, [, signature, immediate]] of Object.entries(rows)) {
      if (name === "v128.const") continue;
      const relaxed = name.includes("relaxed");
      const traps = /div_|rem_/.test(name);
      if (relaxed)
        it.skipIf(!relaxedWorks)(
          `${name} does in this engine (which has relaxed SIMD) what one of the hosts does`,
          () => compare(name, signature, immediate, hostNames),
        );
      else if (!traps)
        it(`${name} does in the engine what the interpreter does`, () =>
          compare(name, signature, immediate, hostNames.slice(0, 1)));
    }

  it.each(["i32", "i64"] as const)("%s division does in the engine what the interpreter does", (type) => {
    for (const operation of ["div_s", "div_u", "rem_s", "rem_u"] as const) {
      for (const [a, b] of [
        [7, 2],
        [-7, 2],
        [7, -2],
        [-1, 3],
      ]) {
        const m = asm.wasmModule();
        const wrap = (x: number) => (type === "i32" ? asm.i32.const(x) : asm.i64.const(BigInt(x)));
        m.func("run", {}, () => find(`${type}.${operation}`)(wrap(a!), wrap(b!)));
        const memory = new WebAssembly.Memory({ initial: 1 });
        const instance = new WebAssembly.Instance(new WebAssembly.Module(m.bytes()), { env: { memory } });
        const wanted = (instance.exports.run as () => number | bigint)();
        expect(interpret(m.bytes(), new Uint8Array(USED), hosts[hostNames[0]!]!).run!()).toBe(wanted);
      }
    }
  });
});

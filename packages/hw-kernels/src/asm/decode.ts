import { tables } from "./instructions.ts";
import { type Type, typeCode } from "./types.ts";

/** One instruction as it stands in the bytes. `operands` are its immediates: offset, lane, bytes, constant, index, depth. */
export interface Instruction {
  readonly name: string;
  readonly operands: readonly (number | bigint)[];
}

export interface DecodedFunction {
  readonly name: string;
  readonly parameters: readonly Type[];
  readonly result: Type | "none";
  /** Variables after the parameters. */
  readonly locals: readonly Type[];
  readonly code: readonly Instruction[];
}

export interface DecodedModule {
  readonly shared: boolean;
  readonly functions: readonly DecodedFunction[];
}

/** Reads the pieces that modules are made of, one after the other. */
const reader = (bytes: Uint8Array) => {
  let at = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const byte = () => bytes[at++]!;
  const leb = (isSigned: boolean): bigint => {
    let value = 0n;
    for (let shift = 0n; ; ) {
      const next = byte();
      value |= BigInt(next & 0x7f) << shift;
      shift += 7n;
      if (next & 0x80) continue;
      return isSigned && next & 0x40 ? value - (1n << shift) : value;
    }
  };
  const unsigned = () => Number(leb(false));
  /** The position before moving on by `count` bytes. */
  const advance = (count: number) => {
    at += count;
    return at - count;
  };
  const take = (count: number) => {
    const from = advance(count);
    return bytes.subarray(from, from + count);
  };
  const list = <T>(item: () => T): T[] => Array.from({ length: unsigned() }, item);
  return {
    byte,
    unsigned,
    list,
    take,
    signed: () => leb(true),
    float: () => view.getFloat32(advance(4), true),
    double: () => view.getFloat64(advance(8), true),
    text: () => new TextDecoder().decode(take(unsigned())),
    done: () => at >= bytes.length,
  };
};
type Reader = ReturnType<typeof reader>;

/** How each kind of immediate is read. */
const immediates: Record<string, (r: Reader, detail: number) => (number | bigint)[]> = {
  mem: (r) => [r.unsigned(), r.unsigned()].slice(1),
  lane: (r) => [r.byte()],
  memlane: (r) => [r.unsigned(), r.unsigned(), r.byte()].slice(1),
  bytes: (r) => [...r.take(16)],
  zeros: (r, count) => [...r.take(count)].slice(count),
  index: (r) => [r.unsigned()],
  void: (r) => [r.byte()].slice(1),
  types: (r) => r.list(r.byte),
  i32: (r) => [Number(r.signed())],
  i64: (r) => [r.signed()],
  f32: (r) => [r.float()],
  f64: (r) => [r.double()],
};

type Entry = readonly [key: string, name: string, immediate?: string];
const control: readonly Entry[] = [
  ["2", "block", "void"],
  ["3", "loop", "void"],
  ["4", "if", "void"],
  ["5", "else"],
  ["11", "end"],
  ["12", "br", "index"],
  ["13", "br_if", "index"],
  ["16", "call", "index"],
  ["28", "select", "types"],
  ["32", "local.get", "index"],
  ["33", "local.set", "index"],
  ["34", "local.tee", "index"],
  ["65", "i32.const", "i32"],
  ["66", "i64.const", "i64"],
  ["67", "f32.const", "f32"],
  ["68", "f64.const", "f64"],
];
const arithmetic = tables.flatMap(({ prefix, rows }) =>
  Object.entries(rows).map(
    ([name, [code, , immediate]]): Entry => [[prefix ?? [], code].flat().join(), name, immediate],
  ),
);
const opcodes = new Map([...control, ...arithmetic].map((entry) => [entry[0], entry]));
const prefixes = new Set(tables.map(({ prefix }) => prefix));

const readInstruction = (r: Reader): Instruction => {
  const first = r.byte();
  const key = prefixes.has(first) ? `${first},${r.unsigned()}` : `${first}`;
  const entry = opcodes.get(key);
  if (!entry) throw new Error(`opcode ${key} is in no table`);
  const [kind, detail] = (entry[2] ?? "").split(":");
  return { name: entry[1], operands: kind ? immediates[kind]!(r, Number(detail)) : [] };
};

const typeOf = new Map(Object.entries(typeCode).map(([type, code]) => [code, type as Type]));

const readCode = (r: Reader) => {
  r.unsigned();
  const locals = r.list(() => Array<Type>(r.unsigned()).fill(typeOf.get(r.byte())!)).flat();
  const code: Instruction[] = [];
  for (let depth = 1; depth > 0; ) {
    const next = readInstruction(r);
    if (["block", "loop", "if"].includes(next.name)) depth += 1;
    if (next.name === "end") depth -= 1;
    code.push(next);
  }
  return { locals, code };
};

/** The functions of a module that `wasmModule` wrote, read back from its bytes alone. */
export const decode = (bytes: Uint8Array): DecodedModule => {
  const r = reader(bytes);
  r.take(8);
  const types = () => r.list(() => typeOf.get(r.byte())!);
  let signatures: { parameters: Type[]; result: Type | "none" }[] = [];
  let shared = false;
  let used: number[] = [];
  let names: string[] = [];
  let bodies: ReturnType<typeof readCode>[] = [];
  const sections: Record<number, () => void> = {
    1: () => {
      signatures = r.list(() => {
        r.byte();
        return { parameters: types(), result: types()[0] ?? "none" };
      });
    },
    2: () => {
      r.list(() => {
        r.text();
        r.text();
        r.byte();
        shared = r.byte() === 3;
        r.unsigned();
        if (shared) r.unsigned();
      });
    },
    3: () => {
      used = r.list(r.unsigned);
    },
    7: () => {
      names = r.list(() => [r.text(), r.byte(), r.unsigned()][0] as string);
    },
    10: () => {
      bodies = r.list(() => readCode(r));
    },
  };
  while (!r.done()) {
    const id = r.byte();
    r.unsigned();
    sections[id]!();
  }
  return { shared, functions: bodies.map((body, i) => ({ name: names[i]!, ...signatures[used[i]!]!, ...body })) };
};

import { bytesOf, signed, signed64, unsigned } from "./encode.ts";
import { relaxed } from "./opcodes-relaxed.ts";
import { bulk, scalar } from "./opcodes-scalar.ts";
import { simd } from "./opcodes-simd.ts";
import { type Code, type Expr, type Operand, type Type, typeCode } from "./types.ts";

/**
 * One instruction of the tables: opcode; what it takes and leaves, a letter each (`i`32 `l`=i64 `f`32 `d`=f64 `v`128),
 * "iv:" takes an address and a vector and leaves nothing; and its immediate, if it has one:
 *
 *     mem:B      a memory offset; B = natural alignment in bytes
 *     lane       a lane's number
 *     memlane:B  both
 *     bytes      16 bytes
 *     zeros:N    N bytes that are zero
 */
export type Row = readonly [code: number, signature: string, immediate?: string];

const rows = { ...scalar, ...bulk, ...simd, ...relaxed };
type Rows = typeof rows;

/** The tables with the byte that precedes their opcodes. */
export const tables: readonly { readonly prefix?: number; readonly rows: Readonly<Record<string, Row>> }[] = [
  { rows: scalar },
  { prefix: 0xfc, rows: bulk },
  { prefix: 0xfd, rows: simd },
  { prefix: 0xfd, rows: relaxed },
];

interface Letters {
  i: "i32";
  l: "i64";
  f: "f32";
  d: "f64";
  v: "v128";
}
type Operands<S extends string> = S extends `${infer L extends keyof Letters}${infer Rest}`
  ? [Operand<Letters[L]>, ...Operands<Rest>]
  : [];
type Result<S extends string> = S extends keyof Letters ? Expr<Letters[S]> : Expr<"none">;
type Immediates<I extends string> = I extends `mem:${string}`
  ? [offset?: number]
  : I extends "lane"
    ? [lane: number]
    : I extends `memlane:${string}`
      ? [lane: number, offset?: number]
      : I extends "bytes"
        ? [bytes: readonly number[]]
        : [];
type Instruction<R> = R extends readonly [number, `${infer In}:${infer Out}`, infer I extends string]
  ? (...args: [...Operands<In>, ...Immediates<I>]) => Result<Out>
  : R extends readonly [number, `${infer In}:${infer Out}`]
    ? (...args: Operands<In>) => Result<Out>
    : never;
type Namespace<P extends string> = {
  [K in keyof Rows as K extends `${P}.${infer Name}` ? Name : never]: Instruction<Rows[K]>;
};

const letterTypes: Record<string, Type> = { i: "i32", l: "i64", f: "f32", d: "f64", v: "v128" };

/** The operand as an expression; numbers become constants of the type. */
export const toExpr = <T extends Type>(type: T, operand: Operand<T>): Expr<T> => {
  if (typeof operand === "object") return operand;
  if (type === "i32") return { type, code: [0x41, signed(Number(operand) | 0)] };
  if (type === "i64") return { type, code: [0x42, signed64(operand as bigint)] };
  if (type === "f32") return { type, code: [0x43, bytesOf(Float32Array.of(operand as number))] };
  return { type, code: [0x44, bytesOf(Float64Array.of(operand as number))] };
};

const LOG2 = { 1: 0, 2: 1, 4: 2, 8: 3, 16: 4 } as Record<string, number>;
type ImmediateArgs = readonly (number | readonly number[] | undefined)[];
const immediateBytes = (kind: string, detail: string, args: ImmediateArgs): Code => {
  const memory = (offset = 0) => [LOG2[detail]!, unsigned(offset)];
  if (kind === "mem") return memory(args[0] as number | undefined);
  if (kind === "memlane") return [memory(args[1] as number | undefined), args[0] as number];
  if (kind === "lane") return [args[0] as number];
  if (kind === "zeros") return Array<number>(Number(detail)).fill(0);
  return args[0] as readonly number[];
};

const instruction = (prefix: number | undefined, [code, signature, immediate]: Row) => {
  const [input = "", output = ""] = signature.split(":");
  const [kind, detail = ""] = immediate?.split(":") ?? [];
  const inputs = [...input].map((letter) => letterTypes[letter]!);
  const opcode = prefix === undefined ? [code] : [prefix, ...unsigned(code)];
  const type = letterTypes[output] ?? "none";
  return (...args: unknown[]) => {
    const parts: Code[] = [];
    for (let i = 0; i < inputs.length; i++) parts.push(toExpr(inputs[i]!, args[i] as Expr<Type>).code);
    parts.push(opcode);
    if (kind) parts.push(immediateBytes(kind, detail, args.slice(inputs.length) as number[]));
    return { type, code: parts };
  };
};

/** All instructions, by what stands before and after the dot of their names. */
const all: Record<string, Record<string, unknown>> = {};
for (const { prefix, rows: table } of tables)
  for (const key of Object.keys(table)) {
    const [space = "", name = ""] = key.split(".");
    all[space] ??= {};
    all[space][name] = instruction(prefix, table[key]!);
  }

/** The instructions called `prefix.name` as functions from operands, then immediates, to an expression. */
const namespace = <P extends string>(name: P): Namespace<P> => all[name] as unknown as Namespace<P>;

type Lanes = number | readonly number[];
type Constants = new (values: number[]) => ArrayBufferView;
const vectorBytes = (Array_: Constants, count: number, lanes: Lanes) =>
  bytesOf(new Array_(typeof lanes === "number" ? Array<number>(count).fill(lanes) : [...lanes]));

/** A constant vector: one number for all lanes, or each lane's. */
const constants = (Array_: Constants, count: number) => ({
  const: (lanes: Lanes): Expr<"v128"> => v128.const(vectorBytes(Array_, count, lanes)),
});

export const memory = namespace("memory");
export const i32 = { ...namespace("i32"), const: (value: number): Expr<"i32"> => toExpr("i32", value) };
export const i64 = { ...namespace("i64"), const: (value: bigint): Expr<"i64"> => toExpr("i64", value) };
export const f32 = { ...namespace("f32"), const: (value: number): Expr<"f32"> => toExpr("f32", value) };
export const f64 = { ...namespace("f64"), const: (value: number): Expr<"f64"> => toExpr("f64", value) };
export const v128 = namespace("v128");
export const i8x16 = { ...namespace("i8x16"), ...constants(Int8Array, 16) };
export const i16x8 = { ...namespace("i16x8"), ...constants(Int16Array, 8) };
export const i32x4 = { ...namespace("i32x4"), ...constants(Int32Array, 4) };
export const i64x2 = namespace("i64x2");
export const f32x4 = { ...namespace("f32x4"), ...constants(Float32Array, 4) };
export const f64x2 = { ...namespace("f64x2"), ...constants(Float64Array, 2) };

/** `whenTrue` where the condition is not zero, else `whenFalse`. Both are evaluated. */
export const select = <T extends Type>(whenTrue: Expr<T>, whenFalse: Expr<T>, condition: Operand<"i32">): Expr<T> => {
  const typed = [0x1c, 1, typeCode[whenTrue.type]];
  return {
    type: whenTrue.type,
    code: [...whenTrue.code, ...whenFalse.code, ...toExpr("i32", condition).code, ...typed],
  };
};

/** What a WebAssembly local, argument or result can be. */
export type Type = "i32" | "i64" | "f32" | "f64" | "v128";

/** Bytes, as a tree: expressions are put together without copying what is in them. */
export type Code = readonly (number | Code)[];

/** Code that leaves one value of a type, or nothing, on the stack. Expressions are values: using one twice emits it twice. */
export interface Expr<T extends Type | "none"> {
  readonly type: T;
  readonly code: Code;
}

/** What an instruction takes: an expression, or a JavaScript number that becomes a constant. */
export type Operand<T extends Type> =
  | Expr<T>
  | (T extends "i32" | "f32" | "f64" ? number : T extends "i64" ? bigint : never);

/** A variable of a function; as an expression, its value. */
export interface Local<T extends Type> extends Expr<T> {
  readonly index: number;
}

export const typeCode: Record<Type, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

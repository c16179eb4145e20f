import { append, unsigned } from "./encode.ts";
import { i32, toExpr } from "./instructions.ts";
import type { Code, Expr, Local, Operand, Type } from "./types.ts";

/** A place to branch to: the start of a `loop` (again) or the end of a `block` (out of it). */
export interface Label {
  readonly depth: number;
}

const VOID = 0x40;
const OPCODE = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  get: 0x20,
  set: 0x21,
  tee: 0x22,
};

/** Where the statements of a function are written, one call each, in order. */
export interface Body {
  /** A new variable, zero at the function's start. */
  local<T extends Type>(type: T): Local<T>;
  locals<T extends Type>(type: T, count: number): Local<T>[];
  /** A new variable with a value. */
  let<T extends Type>(value: Expr<T>): Local<T>;
  /**
   * A variable that holds a constant from the function's start on, one for equal constants. Use it for vectors in loops:
   * engines make a vector constant anew, in several instructions, wherever it stands.
   */
  constant<T extends Type>(value: Expr<T>): Local<T>;
  set<T extends Type>(local: Local<T>, value: Operand<T>): void;
  /** local += step */
  add(local: Local<"i32">, step: Operand<"i32">): void;
  /** A store, or a call of a function without result. */
  do(statement: Expr<"none">): void;
  loop(body: (again: Label) => void): void;
  block(body: (leave: Label) => void): void;
  if(condition: Operand<"i32">, then: () => void, otherwise?: () => void): void;
  br(label: Label): void;
  brIf(label: Label, condition: Operand<"i32">): void;
  /** do { body; count -= step } while (count != 0): the count must be a positive multiple of the step. */
  repeat(count: Local<"i32">, step: number, body: () => void): void;
  /** while (condition) body */
  while(condition: Expr<"i32">, body: () => void): void;
  /** for (i = from; i < end; i += step) body, signed. */
  for(i: Local<"i32">, from: Operand<"i32">, end: Operand<"i32">, step: Operand<"i32">, body: () => void): void;
}

/** The value of a local after it was set: saves reading it back. */
export const tee = <T extends Type>(local: Local<T>, value: Operand<T>): Expr<T> => ({
  type: local.type,
  code: [toExpr(local.type, value).code, OPCODE.tee, unsigned(local.index)],
});

export const localAt = <T extends Type>(type: T, index: number): Local<T> => ({
  type,
  index,
  code: [OPCODE.get, unsigned(index)],
});

/** An empty body, the code of its start and of the rest as they grow, and its variables' types after the parameters. */
export const makeBody = (parameters: number): { body: Body; start: number[]; code: number[]; types: Type[] } => {
  const start: number[] = [];
  const constants = new Map<string, Local<Type>>();
  const code: number[] = [];
  const types: Type[] = [];
  let depth = 0;
  const emit = (...parts: Code) => append(code, parts);
  const nest = (opcode: number, inside: (label: Label) => void) => {
    emit(opcode, VOID);
    depth += 1;
    inside({ depth });
    depth -= 1;
    emit(OPCODE.end);
  };
  const branch = (opcode: number, label: Label) => emit(opcode, unsigned(depth - label.depth));
  const body: Body = {
    local: (type) => localAt(type, parameters + types.push(type) - 1),
    locals: (type, count) => Array.from({ length: count }, () => body.local(type)),
    let: (value) => {
      const local = body.local(value.type);
      body.set(local, value as Operand<typeof value.type>);
      return local;
    },
    constant: (value) => {
      const bytes: number[] = [];
      append(bytes, value.code);
      const known = constants.get(bytes.join());
      if (known) return known as Local<typeof value.type>;
      const local = body.local(value.type);
      append(start, [bytes, OPCODE.set, unsigned(local.index)]);
      constants.set(bytes.join(), local);
      return local;
    },
    set: (local, value) => emit(toExpr(local.type, value).code, OPCODE.set, unsigned(local.index)),
    add: (local, step) => body.set(local, i32.add(local, step)),
    do: (statement) => emit(statement.code),
    loop: (inside) => nest(OPCODE.loop, inside),
    block: (inside) => nest(OPCODE.block, inside),
    if: (condition, then, otherwise) => {
      emit(toExpr("i32", condition).code);
      nest(OPCODE.if, () => {
        then();
        if (!otherwise) return;
        emit(OPCODE.else);
        otherwise();
      });
    },
    br: (label) => branch(OPCODE.br, label),
    brIf: (label, condition) => {
      emit(toExpr("i32", condition).code);
      branch(OPCODE.brIf, label);
    },
    repeat: (count, step, inside) =>
      body.loop((again) => {
        inside();
        body.brIf(again, tee(count, i32.sub(count, step)));
      }),
    while: (condition, inside) =>
      body.if(condition, () =>
        body.loop((again) => {
          inside();
          body.brIf(again, condition);
        }),
      ),
    for: (i, from, end, step, inside) => {
      body.set(i, from);
      body.while(i32.lt_s(i, end), () => {
        inside();
        body.add(i, step);
      });
    },
  };
  return { body, start, code, types };
};

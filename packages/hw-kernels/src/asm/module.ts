import { type Body, localAt, makeBody } from "./body.ts";
import { append, sized, text, unsigned, vector } from "./encode.ts";
import { toExpr } from "./instructions.ts";
import { type Code, type Expr, type Local, type Operand, type Type, typeCode } from "./types.ts";

export type Parameters = Readonly<Record<string, Type>>;
export type Locals<P extends Parameters> = { readonly [K in keyof P]: Local<P[K]> };

/** A function of the module under construction; `call` takes its arguments by name. */
export interface Func<P extends Parameters, R extends Type | "none"> {
  readonly name: string;
  readonly call: (args: { readonly [K in keyof P]: Operand<P[K]> }) => Expr<R>;
}

type Write<P extends Parameters, Result> = (body: Body, args: Locals<P>) => Result;

export interface Module {
  /**
   * Adds a function, exported by its name. `write` emits the body; the expression that it returns, if any, is the
   * result. Functions can call the ones that were added before them.
   */
  func<P extends Parameters, R extends Type>(name: string, parameters: P, write: Write<P, Expr<R>>): Func<P, R>;
  func<P extends Parameters>(name: string, parameters: P, write: Write<P, void>): Func<P, "none">;
  /** The module's bytes. The same calls give the same bytes. */
  bytes(): Uint8Array<ArrayBuffer>;
}

export interface ModuleOptions {
  /** The imported memory is shared between threads. */
  shared?: boolean;
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 };
const FUNCTION_TYPE = 0x60;
const MEMORY_IMPORT = 0x02;
const LIMITS = { atLeast: 0x00, shared: 0x03 };
const MAX_PAGES = 65536;
const CALL = 0x10;
const END = 0x0b;

const section = (id: number, code: Code): Code => [id, sized(code)];

/** Runs of equal types, as a function's header declares its variables. */
const declarations = (types: readonly Type[]) => {
  const runs: { type: Type; count: number }[] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.type === type) last.count += 1;
    else runs.push({ type, count: 1 });
  }
  return vector(runs.map(({ type, count }) => [unsigned(count), typeCode[type]]));
};

/** A module that imports one memory, `env.memory`, and exports its functions. */
export const wasmModule = ({ shared = false }: ModuleOptions = {}): Module => {
  const signatures: string[] = [];
  const functions: { name: string; signature: number; code: Code }[] = [];

  const signatureIndex = (inputs: readonly Type[], result: Type | "none") => {
    const codes = (types: readonly Type[]) => vector(types.map((type) => [typeCode[type]]));
    const key = [FUNCTION_TYPE, codes(inputs), codes(result === "none" ? [] : [result])].flat(3).join();
    const known = signatures.indexOf(key);
    return known >= 0 ? known : signatures.push(key) - 1;
  };

  return {
    func: <P extends Parameters, R extends Type>(name: string, parameters: P, write: Write<P, unknown>) => {
      const entries = Object.entries(parameters);
      const args = Object.fromEntries(entries.map(([key, type], i) => [key, localAt(type, i)])) as Locals<P>;
      const { body, start, code, types } = makeBody(entries.length);
      const result = write(body, args) as Expr<R> | undefined;
      const type = result?.type ?? "none";
      const full = sized([declarations(types), start, code, result?.code ?? [], END]);
      const signature = signatureIndex(Object.values(parameters), type);
      const index = functions.push({ name, signature, code: full }) - 1;
      const call = (values: { readonly [K in keyof P]: Operand<P[K]> }) => ({
        type: type as R,
        code: [
          ...entries.map(([key, kind]) => toExpr(kind, values[key] as Operand<typeof kind>).code),
          CALL,
          unsigned(index),
        ],
      });
      return { name, call };
    },
    bytes: () => {
      const limits = shared
        ? [LIMITS.shared, ...unsigned(1), ...unsigned(MAX_PAGES)]
        : [LIMITS.atLeast, ...unsigned(1)];
      const memory = [text("env"), text("memory"), MEMORY_IMPORT, limits];
      const exported = functions.map(({ name }, i) => [text(name), 0x00, unsigned(i)]);
      const bytes: number[] = [];
      append(bytes, [
        MAGIC,
        section(SECTION.type, vector(signatures.map((key) => key.split(",").map(Number)))),
        section(SECTION.import, vector([memory])),
        section(SECTION.function, vector(functions.map(({ signature }) => unsigned(signature)))),
        section(SECTION.export, vector(exported)),
        section(SECTION.code, vector(functions.map(({ code }) => code))),
      ]);
      return new Uint8Array(bytes);
    },
  };
};

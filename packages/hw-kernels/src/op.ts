import type { Local, Module, Type } from "./asm/index.ts";

/** What arrays hold, by the name that WebAssembly gives it. */
export interface ElementArrays {
  f32: Float32Array;
  f64: Float64Array;
  i8: Int8Array;
  u8: Uint8Array;
  i16: Int16Array;
  u16: Uint16Array;
  i32: Int32Array;
  u32: Uint32Array;
}
export type ElementType = keyof ElementArrays;
export type AnyArray = ElementArrays[ElementType];

/**
 * What an op takes, in order: numbers (`"i32"`, `"f32"`, `"f64"`), arrays that it reads (`"f32[]"`), writes
 * (`"f32[] out"`) or both (`"f32[] inout"`). What is `out` is written without gaps up to the length that `lengths` gives.
 * An optional array that is not there is an empty one, and address 0.
 */
export type ArgKind = "i32" | "f32" | "f64" | `${ElementType}[]${"" | " out" | " inout"}`;
export type Spec = Readonly<Record<string, ArgKind>>;

type Element<K extends ArgKind> = K extends `${infer T extends ElementType}[]${string}` ? T : never;
/** The arguments of one call: typed arrays and numbers. */
export type Values<S extends Spec> = {
  readonly [K in keyof S]: S[K] extends `${string}[]${string}` ? ElementArrays[Element<S[K]>] : number;
};
/** The same with byte addresses in place of arrays: what a kernel in WebAssembly is called with. */
export type Addresses<S extends Spec> = { readonly [K in keyof S]: number };
type ArrayNames<S extends Spec> = { [K in keyof S]: S[K] extends `${string}[]${string}` ? K : never }[keyof S];
type OutputNames<S extends Spec> = { [K in keyof S]: S[K] extends `${string}out` ? K : never }[keyof S];

type Bounds<S extends Spec> = {
  // A method, so that a row of any op is a `Row`.
  bounds(values: Values<S>): { readonly [K in OutputNames<S>]: ArrayLike<number> };
}["bounds"];

/**
 * One op: what it computes, on what layout, and how its kernels are tested. Everything else (a reference loop and the
 * fast variants) stands beside it in a row of `ops/table.ts`.
 */
export interface Op<S extends Spec = Spec> {
  readonly name: string;
  readonly args: S;
  /** The least number of elements that each array must have. */
  lengths(values: Values<S>): { readonly [K in ArrayNames<S>]: number };
  /**
   * How far each element of each output may be from the reference, given the arguments before the call, or "exact" for
   * bits. Sums in float32: `floatBound`.
   */
  readonly tolerance: "exact" | Bounds<S>;
  /** Arguments to test with: a few adversarial ones that are checked at every load, or all for the test suite. */
  cases(scope: "load" | "all"): Iterable<Values<S>>;
  /** Arguments to time variants with: typical, about 0.3 ms of work. */
  sample(): Values<S>;
  /** Bytes of scratch memory that a kernel gets as its last argument. */
  scratch?(numbers: Addresses<S>): number;
  /** About how many nanoseconds one thread works on this; threads are used from 100,000 up. */
  work?(numbers: Addresses<S>): number;
  /** The same call as independent calls on parts of the output, at most `parts`, with equal results bit for bit. */
  split?(call: Addresses<S>, parts: number): Addresses<S>[];
}

/** What a kernel needs: plain SIMD128, or relaxed SIMD. Their modules stay apart, as one opcode can fail a whole module. */
export type Level = "simd" | "relaxed";

/** A fast kernel: emits a module whose function `run` takes the op's arguments in order, then the scratch address. */
export interface WasmVariant {
  /** Says what is special: "4x8", "4x8 fma". Unique within the op. */
  readonly name: string;
  readonly level: Level;
  /** Only right where a relaxed dot takes the second operand's bytes this way. Unless given, right everywhere. */
  readonly dot?: "signed" | "unsigned";
  /** Not tried where a variant of a higher level has proved itself. */
  readonly spare?: boolean;
  readonly emit: (m: Module) => void;
}

/** One row of the table. */
export interface Row<S extends Spec = Spec> {
  readonly op: Op<S>;
  /** Plain loops in float64 or exact integers; rounds once, on storing. */
  readonly reference: (values: Values<S>) => void;
  /** The first of a level is taken where there is no time to measure. */
  readonly wasm: readonly WasmVariant[];
}

/** A row, with the types of its arguments forgotten so that rows can stand in one list. */
export const row = <S extends Spec>(op: Op<S>, reference: Row<S>["reference"], wasm: readonly WasmVariant[]): Row =>
  ({ op, reference, wasm }) as unknown as Row;

type ParameterType<K extends ArgKind> = K extends "f32" | "f64" ? K : "i32";
export type KernelParameters<S extends Spec> = { readonly [K in keyof S]: ParameterType<S[K]> } & {
  readonly scratch: "i32";
};
export type KernelLocals<S extends Spec> = { readonly [K in keyof S]: Local<ParameterType<S[K]>> } & {
  readonly scratch: Local<"i32">;
};

/** The parameters of `run` for an op's arguments. */
export const kernelParameters = <S extends Spec>(args: S): KernelParameters<S> => {
  const typeOf = (kind: ArgKind): Type => (kind === "f32" || kind === "f64" ? kind : "i32");
  const types = Object.entries(args).map(([name, kind]) => [name, typeOf(kind)]);
  return { ...Object.fromEntries(types), scratch: "i32" } as KernelParameters<S>;
};

interface ArrayKind {
  readonly type: ElementType;
  readonly read: boolean;
  readonly written: boolean;
}
const parseKind = (kind: ArgKind): ArrayKind | undefined => {
  const match = /^(.*)\[\](?: (out|inout))?$/.exec(kind);
  if (!match) return undefined;
  return { type: match[1] as ElementType, read: match[2] !== "out", written: match[2] !== undefined };
};
/** Each kind is taken apart once: this is asked for every argument of every call. */
const kinds = new Map<ArgKind, ArrayKind | undefined>();
export const arrayKind = (kind: ArgKind): ArrayKind | undefined => {
  if (!kinds.has(kind)) kinds.set(kind, parseKind(kind));
  return kinds.get(kind);
};

/** The numbers of a call in words, for messages: "m=3 n=8 alpha=0.5". */
export const caseName = (op: Op, values: Values<Spec>): string =>
  Object.entries(op.args)
    .filter(([, kind]) => !arrayKind(kind))
    .map(([name]) => `${name}=${values[name]}`)
    .join(" ");

import { EspalierError } from "../errors.ts";
import { type Addresses, type AnyArray, type ArgKind, arrayKind, type Op, type Spec, type Values } from "../op.ts";
import type { Arena } from "./arena.ts";
import { elementArrays } from "./elements.ts";

/** By its tag: `instanceof` fails for arrays of another realm, as test runners make them. */
const isArray = (value: unknown, name: string): value is AnyArray =>
  ArrayBuffer.isView(value) && (value as AnyArray)[Symbol.toStringTag] === name;

interface Argument {
  readonly name: string;
  readonly kind: ArgKind;
  readonly array: ReturnType<typeof arrayKind>;
}
const known = new WeakMap<Spec, readonly Argument[]>();
/** An op's arguments in order, taken apart once. */
const argumentsOf = (args: Spec): readonly Argument[] => {
  const found = known.get(args);
  if (found) return found;
  const made = Object.entries(args).map(([name, kind]) => ({ name, kind, array: arrayKind(kind) }));
  known.set(args, made);
  return made;
};

/** Throws unless every array is of the right type and long enough. */
export const checkArguments = <S extends Spec>(op: Op<S>, values: Values<S>): void => {
  const lengths: Readonly<Record<string, number>> = op.lengths(values);
  for (const { name, kind, array } of argumentsOf(op.args)) {
    const value: unknown = values[name];
    if (!array) {
      if (typeof value === "number" && (kind !== "i32" || Number.isInteger(value))) continue;
      throw new EspalierError("BAD_OPTION", `hw-kernels/${op.name}`, `${name} is ${value}. Give a ${kind} number.`);
    }
    const wanted = elementArrays[array.type].name;
    if (!isArray(value, wanted))
      throw new EspalierError("BAD_DATA", `hw-kernels/${op.name}`, `${name} is no ${wanted}. Give one.`);
    if (value.length < lengths[name]!)
      throw new EspalierError(
        "BAD_DATA",
        `hw-kernels/${op.name}`,
        `${name} has ${value.length} elements, and the sizes ask for ${lengths[name]}. Check the sizes; a view of the kernels' memory from before it grew has none.`,
      );
  }
};

/**
 * Brings the arguments into the arena's memory, calls, and brings results back. Arrays that lie in that memory already
 * are used in place. Nothing that was allocated for the call outlives it. `views` gives the arguments as arrays again, for
 * code that is no kernel: views of the memory as it is when asked.
 */
export const withAddresses = <S extends Spec>(
  arena: Arena,
  op: Op<S>,
  values: Values<S>,
  run: (call: Addresses<S>, views: () => Values<S>) => void,
): void => {
  const lengths: Readonly<Record<string, number>> = op.lengths(values);
  const call: Record<string, number> = {};
  const counts: Record<string, number> = {};
  const visitors: { name: string; value: AnyArray; read: boolean; written: boolean }[] = [];
  // Growth detaches views, so every address is taken before the first allocation.
  const { buffer: inside } = arena.memory;
  for (const { name, array } of argumentsOf(op.args)) {
    if (!array) call[name] = values[name] as number;
    else {
      const value = values[name] as AnyArray;
      counts[name] = value.length;
      if (value.length === 0) call[name] = 0;
      else if (value.buffer === inside) call[name] = value.byteOffset;
      else visitors.push({ name, value, ...array });
    }
  }
  const views = () =>
    Object.fromEntries(
      argumentsOf(op.args).map(({ name, array }) => {
        const view = array && new elementArrays[array.type](arena.memory.buffer, call[name]!, counts[name]!);
        return [name, view ?? call[name]];
      }),
    ) as Values<S>;
  if (visitors.length === 0) {
    run(call as Addresses<S>, views);
    return;
  }
  const temporary: number[] = [];
  try {
    for (const { name, value } of visitors) {
      call[name] = arena.allocate(value.byteLength);
      temporary.push(call[name]);
    }
    const place = (name: string, bytes: number) => new Uint8Array(arena.memory.buffer, call[name], bytes);
    const outside = ({ buffer, byteOffset }: AnyArray, bytes: number) => new Uint8Array(buffer, byteOffset, bytes);
    for (const { name, value, read } of visitors)
      if (read) place(name, value.byteLength).set(outside(value, value.byteLength));
    run(call as Addresses<S>, views);
    for (const { name, value, written } of visitors) {
      const bytes = lengths[name]! * value.BYTES_PER_ELEMENT;
      if (written) outside(value, bytes).set(place(name, bytes));
    }
  } finally {
    temporary.forEach(arena.free);
  }
};

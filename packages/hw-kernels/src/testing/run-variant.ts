import { interpret } from "../asm/interpreter/interpret.ts";
import type { RelaxedSemantics } from "../asm/interpreter/relaxed-semantics.ts";
import {
  type AnyArray,
  arrayKind,
  type ElementType,
  type Op,
  type Spec,
  type Values,
  type WasmVariant,
} from "../op.ts";
import { emit } from "../runtime/compile.ts";
import { elementArrays } from "../runtime/elements.ts";

const PAGE = 65536;
const PAGES = 256;
/** What the interpreter gets: less, as it is slow anyhow. */
const INTERPRETED_BYTES = 16 * PAGE;
const GUARD_BYTES = 64;
const GUARD = 0xa5;
const FIRST = 1024;
const roundUp = (value: number, to: number) => Math.ceil(value / to) * to;

interface Place {
  readonly name: string;
  readonly value: AnyArray;
  readonly type: ElementType;
  readonly address: number;
  readonly written: boolean;
}

/** Where the arrays of a call go: each `shift` elements past a multiple of 64, with guards around them. */
const place = (op: Op, values: Values<Spec>, shift: number) => {
  let next = FIRST;
  const places: Place[] = [];
  for (const [name, kind] of Object.entries(op.args)) {
    const array = arrayKind(kind);
    if (!array) continue;
    const value = values[name] as unknown as AnyArray;
    const address = value.length ? roundUp(next, GUARD_BYTES) + GUARD_BYTES + shift * value.BYTES_PER_ELEMENT : 0;
    if (value.length) next = address + value.byteLength + GUARD_BYTES;
    places.push({ name, value, address, ...array });
  }
  return { places, end: roundUp(next, GUARD_BYTES) };
};

/** Bytes of memory, and the variant's `run` on them: in this engine, or interpreted as another host would execute it. */
const load = (variant: WasmVariant, host?: RelaxedSemantics) => {
  const module = emit(variant, false);
  if (host) {
    const bytes = new Uint8Array(INTERPRETED_BYTES);
    return { bytes, run: interpret(module, bytes, host).run! };
  }
  const memory = new WebAssembly.Memory({ initial: PAGES });
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } }).exports;
  return { bytes: new Uint8Array(memory.buffer), run: run as (...args: number[]) => void };
};

const firstChange = (before: Uint8Array, after: Uint8Array) => {
  for (let i = 0; i < before.length; i++) if (before[i] !== after[i]) return i;
  return -1;
};

/**
 * A variant as a function that overwrites the outputs of a call, as the reference does. It throws if the kernel touched
 * the guards around any array or changed an array that it should only read. `parts` over 1 runs the call in that many.
 */
export const variantRunner = (op: Op, variant: WasmVariant, host?: RelaxedSemantics) => {
  const { bytes, run } = load(variant, host);
  return (values: Values<Spec>, shift = 0, parts = 1): void => {
    const { places, end } = place(op, values, shift);
    const call: Record<string, number> = { ...(values as Readonly<Record<string, number>>) };
    for (const { name, address } of places) call[name] = address;
    const used = end + (op.scratch?.(call) ?? 0) + GUARD_BYTES;
    if (used > bytes.length) throw new RangeError(`a case of ${op.name} takes ${used} bytes`);
    bytes.fill(GUARD, 0, used);
    const inMemory = ({ type, address, value }: Place) => new elementArrays[type](bytes.buffer, address, value.length);
    for (const one of places) if (one.address) inMemory(one).set(one.value as never);
    const before = bytes.slice(0, end);
    const calls = parts > 1 && op.split ? op.split(call, parts) : [call];
    for (const part of calls) run(...Object.keys(op.args).map((name) => part[name]!), end);
    for (const one of places) {
      if (!one.address || !one.written) continue;
      one.value.set(inMemory(one) as never);
      bytes.set(before.subarray(one.address, one.address + one.value.byteLength), one.address);
    }
    const changed = firstChange(before, bytes);
    if (changed >= 0 || bytes.subarray(used - GUARD_BYTES, used).some((byte) => byte !== GUARD))
      throw new Error(`${op.name} "${variant.name}" wrote at ${changed}, outside of its outputs and scratch`);
  };
};

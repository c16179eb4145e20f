import { lanes, make, type Table, type Vector } from "./lanes.ts";

type Sized = "8" | "16" | "32" | "64";
const BYTES: Record<Sized, number> = { 8: 1, 16: 2, 32: 4, 64: 8 };

/** Loads and stores over a memory. After the operands comes the offset, then the lane. */
export const memoryOperations = (bytes: Uint8Array<ArrayBuffer>): Readonly<Table> => {
  const operations: Table = {};
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = (address: number, offset: number) => (address >>> 0) + offset;
  const take = (from: number, count: number): Vector => {
    if (from + count > bytes.length) throw new RangeError(`memory access at ${from} is out of bounds`);
    const out: Vector = new Uint8Array(16);
    out.set(bytes.subarray(from, from + count));
    return out;
  };

  // biome-ignore lint/suspicious/noExplicitAny: each entry has the value type of its instruction.
  type Write = (at: number, x: any) => void;
  const numbers: Record<string, [get: (at: number) => number | bigint, set: Write]> = {
    i32: [(p) => view.getInt32(p, true), (p, x) => view.setInt32(p, x, true)],
    i64: [(p) => view.getBigInt64(p, true), (p, x) => view.setBigInt64(p, x, true)],
    f32: [(p) => view.getFloat32(p, true), (p, x) => view.setFloat32(p, x, true)],
    f64: [(p) => view.getFloat64(p, true), (p, x) => view.setFloat64(p, x, true)],
  };
  const store = (name: string, write: Write) => {
    operations[name] = (address: number, x: unknown, offset: number) => {
      write(at(address, offset), x);
      return 0;
    };
  };
  for (const [type, [get, set]] of Object.entries(numbers)) {
    operations[`${type}.load`] = (address: number, offset: number) => get(at(address, offset));
    store(`${type}.store`, set);
  }
  const parts: [Sized, (p: number) => number, (p: number) => number, (p: number, x: number) => void][] = [
    ["8", (p) => view.getInt8(p), (p) => view.getUint8(p), (p, x) => view.setInt8(p, x)],
    ["16", (p) => view.getInt16(p, true), (p) => view.getUint16(p, true), (p, x) => view.setInt16(p, x, true)],
    ["32", (p) => view.getInt32(p, true), (p) => view.getUint32(p, true), (p, x) => view.setInt32(p, x, true)],
  ];
  for (const [size, signed, unsigned, set] of parts) {
    for (const [type, convert] of [
      ["i32", (x: number) => x],
      ["i64", BigInt],
    ] as const) {
      operations[`${type}.load${size}_s`] = (address: number, offset: number) => convert(signed(at(address, offset)));
      operations[`${type}.load${size}_u`] = (address: number, offset: number) => convert(unsigned(at(address, offset)));
    }
    store(`i32.store${size}`, set);
    store(`i64.store${size}`, (p, x: bigint) => set(p, Number(BigInt.asIntN(32, x))));
  }

  operations["v128.load"] = (address: number, offset: number) => take(at(address, offset), 16);
  store("v128.store", (p, x: Vector) => bytes.set(x, p));
  for (const [size, count] of Object.entries(BYTES)) {
    operations[`v128.load${size}_splat`] = (address: number, offset: number) => {
      const one = take(at(address, offset), count);
      return make("i8x16", (i) => one[i % count]!);
    };
    operations[`v128.load${size}_zero`] = (address: number, offset: number) => take(at(address, offset), count);
    operations[`v128.load${size}_lane`] = (address: number, v: Vector, offset: number, lane: number) => {
      const one = take(at(address, offset), count);
      return make("i8x16", (i) => (Math.floor(i / count) === lane ? one[i % count]! : v[i]!));
    };
    operations[`v128.store${size}_lane`] = (address: number, v: Vector, offset: number, lane: number) => {
      bytes.set(v.subarray(lane * count, (lane + 1) * count), at(address, offset));
      return 0;
    };
  }
  for (const sign of ["s", "u"] as const) {
    const signed = sign === "s";
    const half = (address: number, offset: number) => take(at(address, offset), 8);
    operations[`v128.load8x8_${sign}`] = (address: number, offset: number) => {
      const source = half(address, offset);
      return make("i16x8", (i) => (signed ? lanes("i8x16", source) : source)[i]!);
    };
    operations[`v128.load16x4_${sign}`] = (address: number, offset: number) => {
      const { buffer } = half(address, offset);
      return make("i32x4", (i) => (signed ? new Int16Array(buffer) : new Uint16Array(buffer))[i]!);
    };
    operations[`v128.load32x2_${sign}`] = (address: number, offset: number) => {
      const { buffer } = half(address, offset);
      const values = signed ? new Int32Array(buffer) : new Uint32Array(buffer);
      return new Uint8Array(BigInt64Array.of(BigInt(values[0]!), BigInt(values[1]!)).buffer);
    };
  }

  const whole = (name: string, f: (to: number, from: number, count: number) => void) => {
    operations[name] = (to: number, from: number, count: number) => {
      f(to >>> 0, from >>> 0, count >>> 0);
      return 0;
    };
  };
  whole("memory.copy", (to, from, count) => bytes.copyWithin(to, from, from + count));
  whole("memory.fill", (to, value, count) => bytes.fill(value, to, to + count));
  return operations;
};

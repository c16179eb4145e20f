import { zipSync } from "fflate";

export interface NpyArray {
  readonly descr: string;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
  readonly fortran?: boolean;
}

/** A .npy file, version 1.0. */
export const npyBytes = ({ descr, shape, data, fortran = false }: NpyArray): Uint8Array => {
  const dims = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const head = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': ${dims}, }\n`;
  const prefix = Buffer.from("\x93NUMPY\x01\x00\x00\x00", "latin1");
  prefix.writeUInt16LE(head.length, 8);
  return Buffer.concat([prefix, Buffer.from(head), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
};

/** A .npz file, deflated or stored. */
export const npzBytes = (arrays: Readonly<Record<string, NpyArray>>, { level = 0 as 0 | 6 } = {}): Uint8Array =>
  zipSync(Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, npyBytes(array)])), {
    level,
  });

export const floats = (shape: readonly number[], data: readonly number[]): NpyArray => ({
  descr: "<f4",
  shape,
  data: Float32Array.from(data),
});

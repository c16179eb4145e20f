import type { Model } from "../model.ts";
import { streamOnnx } from "../onnx/write.ts";
import type { Calibration } from "../pass.ts";
import { readData, type Tensor } from "../tensor.ts";

/** FNV-1a of 32 bits, two lanes with different starts. Source: Fowler, Noll, Vo. */
const OFFSETS = [0x811c9dc5, 0x9e3779b9] as const;
const PRIME = 0x01000193;

/** Hashes bytes as they come; words where they are aligned. */
const hasher = () => {
  let [a, b]: [number, number] = [...OFFSETS];
  let count = 0;
  const word = (value: number) => {
    a = Math.imul(a ^ value, PRIME);
    b = Math.imul(b ^ ((value << 13) | (value >>> 19)), PRIME) ^ (a >>> 15);
  };
  return {
    bytes(bytes: Uint8Array) {
      const whole = bytes.byteLength >> 2;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let i = 0; i < whole; i++) word(view.getInt32(4 * i, true));
      for (let i = 4 * whole; i < bytes.length; i++) word(bytes[i]);
      count += bytes.length;
    },
    text(text: string) {
      this.bytes(new TextEncoder().encode(`${text}\n`));
    },
    end: () => `${count.toString(16)}-${(a >>> 0).toString(16)}-${(b >>> 0).toString(16)}`,
  };
};

/** A short text that differs between models whose files differ. */
export const modelHash = async (model: Model): Promise<string> => {
  const hash = hasher();
  for await (const chunk of streamOnnx(model)) hash.bytes(chunk);
  return hash.end();
};

const addTensor = async (hash: ReturnType<typeof hasher>, name: string, t: Tensor) => {
  hash.text(`${name} ${t.type} ${t.dims.join()}`);
  const data = await readData(t);
  if (Array.isArray(data)) for (const text of data) hash.text(text);
  else hash.bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
};

/** The same for all samples of calibration data. */
export const dataHash = async (calibration: Calibration): Promise<string> => {
  const hash = hasher();
  for await (const feeds of calibration())
    for (const name of Object.keys(feeds).sort()) await addTensor(hash, name, feeds[name]);
  return hash.end();
};

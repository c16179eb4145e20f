import type { Values } from "../../op.ts";
import { type CodeFormat, GROUP, unitBytes } from "./formats.ts";
import type { PackedArgs } from "./op.ts";

const { fround } = Math;

/** The code of row j and place k, read bit by bit. */
const codeAt = (format: CodeFormat, bytes: Uint8Array, depth: number, j: number, k: number): number => {
  const { bits, span, vectors } = format;
  const unit = (Math.floor(j / GROUP) * depth) / span + Math.floor(k / span);
  const at = unit * unitBytes(format) + ((j >> 2) & 1) * vectors * 16 + (j & 3) * 4 + (k & 3);
  const t = (k % span) >> 2;
  if (bits !== 3) return (bytes[at]! >> (bits * t)) & (2 ** bits - 1);
  return ((bytes[at + (t >> 2) * 16]! >> (2 * (t & 3))) & 3) | (((bytes[at + 32]! >> t) & 1) << 2);
};

export const packedReference =
  (format: CodeFormat) =>
  (v: Values<PackedArgs>): void => {
    const blocks = v.k / v.blockSize;
    const codes = new Uint8Array(v.k);
    for (let j = 0; j < v.n; j++) {
      for (let k = 0; k < v.k; k++) codes[k] = codeAt(format, v.codes, v.k, j, k);
      for (let i = 0; i < v.m; i++) {
        let y = v.bias[j] ?? 0;
        for (let b = 0; b < blocks; b++) {
          const at = (Math.floor(j / GROUP) * blocks + b) * GROUP + (j % GROUP);
          const zero = v.zeros[at] ?? v.zero;
          let dot = 0;
          for (let k = b * v.blockSize; k < (b + 1) * v.blockSize; k++) dot += v.a[i * v.k + k]! * (codes[k]! - zero);
          const scale = fround(v.scales[at]! * v.aScales[i * blocks + b]!);
          y = fround(y + fround(fround(dot) * scale));
        }
        v.y[i * v.stride + j] = Math.max(v.low, Math.min(v.high, y));
      }
    }
  };

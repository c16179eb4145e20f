import type { Values } from "../../op.ts";
import { packed, quantizeBlock } from "../quantize-blocks/reference.ts";
import type { quantizeColumnsArgs } from "./op.ts";

export const quantizeColumnsReference = (v: Values<typeof quantizeColumnsArgs>): void => {
  const blocks = Math.ceil(v.k / v.blockSize);
  for (let j = 0; j < v.n; j++) {
    const column = new Uint8Array(v.k);
    for (let block = 0; block < blocks; block++) {
      const start = block * v.blockSize;
      const length = Math.min(v.k, start + v.blockSize) - start;
      const values = Float32Array.from({ length }, (_, i) => v.w[(start + i) * v.stride + j]!);
      const { codes, scale, zero } = quantizeBlock(values, v);
      v.scales[j * blocks + block] = scale;
      v.zeros[j * blocks + block] = zero;
      column.set(codes, start);
    }
    const bytes = packed(column, v.nibbles);
    v.codes.set(bytes, j * bytes.length);
  }
};

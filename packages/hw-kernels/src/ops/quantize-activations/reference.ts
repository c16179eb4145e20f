import type { Values } from "../../op.ts";
import { roundEven } from "../round-even.ts";
import { type CodeType, MOST, type quantizeActivationsArgs, SMALLEST } from "./op.ts";

const { fround } = Math;

/** The codes of one block, its scale, and their sum. */
const quantizeBlock = (x: Float32Array, most: number) => {
  let largest = 0;
  for (const value of x) largest = Number.isNaN(value) ? Infinity : Math.max(largest, Math.abs(value));
  if (!(largest > SMALLEST && largest < Infinity))
    return { codes: x.map(() => 0), scale: largest < Infinity ? 0 : Number.NaN };
  const inverse = fround(most / largest);
  return { codes: x.map((value) => roundEven(fround(value * inverse))), scale: fround(largest / most) };
};

export const quantizeActivationsReference =
  (type: CodeType) =>
  (v: Values<(typeof quantizeActivationsArgs)[CodeType]>): void => {
    const blocks = Math.ceil(v.k / v.blockSize);
    v.codes.fill(0);
    for (let i = 0; i < v.m; i++)
      for (let b = 0; b < blocks; b++) {
        const start = b * v.blockSize;
        const from = i * v.stride + start;
        const { codes, scale } = quantizeBlock(v.x.slice(from, from + Math.min(v.blockSize, v.k - start)), MOST[type]);
        v.codes.set(codes, (i * blocks + b) * v.blockSize);
        v.scales[i * blocks + b] = scale;
        v.sums[i * blocks + b] = codes.reduce((sum, code) => sum + code, 0);
      }
  };

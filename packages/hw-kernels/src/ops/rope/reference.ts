import type { Values } from "../../op.ts";
import { pairOf, type ropeArgs } from "./op.ts";

export const ropeReference = ({ x, cos, sin, y, rows, heads, pairs, interleaved }: Values<typeof ropeArgs>): void => {
  for (let row = 0; row < rows; row++)
    for (let head = 0; head < heads; head++)
      for (let i = 0; i < pairs; i++) {
        const start = (row * heads + head) * pairs * 2;
        const [first, second] = pairOf(i, pairs, interleaved).map((at) => start + at) as [number, number];
        const [a, b] = [x[first]!, x[second]!];
        const [c, s] = [cos[row * pairs + i]!, sin[row * pairs + i]!];
        y[first] = a * c - b * s;
        y[second] = a * s + b * c;
      }
};

import type { Values } from "../../op.ts";
import type { bytePlanesArgs } from "./op.ts";

export const bytePlanesReference = ({ x, y, count, size, back }: Values<typeof bytePlanesArgs>): void => {
  for (let i = 0; i < count; i++)
    for (let b = 0; b < size; b++) {
      const [inNumber, inPlane] = [i * size + b, b * count + i];
      if (back) y[inNumber] = x[inPlane]!;
      else y[inPlane] = x[inNumber]!;
    }
};

import type { Values } from "../../op.ts";
import type { rotate64Args } from "./op.ts";

export const rotate64Reference = ({ x, c, s, count, columns, stride }: Values<typeof rotate64Args>): void => {
  for (let i = count - 1; i >= 0; i--)
    for (let j = 0; j < columns; j++) {
      const [upper, lower] = [x[i * stride + j]!, x[(i + 1) * stride + j]!];
      x[i * stride + j] = c[i]! * upper - s[i]! * lower;
      x[(i + 1) * stride + j] = s[i]! * upper + c[i]! * lower;
    }
};

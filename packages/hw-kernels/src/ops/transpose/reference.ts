import type { Values } from "../../op.ts";
import type { transposeArgs } from "./op.ts";

export const transposeReference = ({ x, y, rows, columns, strideX, strideY }: Values<typeof transposeArgs>): void => {
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) y[j * strideY + i] = x[i * strideX + j]!;
};

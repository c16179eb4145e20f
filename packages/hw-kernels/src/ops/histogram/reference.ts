import type { Values } from "../../op.ts";
import type { histogramArgs } from "./op.ts";

export const histogramReference = ({
  x,
  counts,
  count,
  bins,
  low,
  scale,
  absolute,
}: Values<typeof histogramArgs>): void => {
  const start = Math.fround(low);
  for (let i = 0; i < count; i++) {
    const value = absolute ? Math.abs(x[i]!) : x[i]!;
    const at = Math.floor(Math.fround(Math.fround(value - start) * Math.fround(scale)));
    counts[Number.isNaN(at) ? bins : Math.min(Math.max(at, 0), bins - 1)]!++;
  }
};

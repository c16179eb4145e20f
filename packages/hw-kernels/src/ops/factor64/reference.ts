import type { Values } from "../../op.ts";
import type { factor64Args } from "./op.ts";

export const factor64Reference = ({ a, done, n, stride }: Values<typeof factor64Args>): void => {
  for (let i = 0; i < n; i++) {
    const row = a.slice(i * stride, i * stride + i + 1);
    for (let j = 0; j <= i; j++) {
      let rest = row[j]!;
      for (let k = 0; k < j; k++) rest -= row[k]! * (j < i ? a[j * stride + k]! : row[k]!);
      row[j] = j < i ? rest / a[j * stride + j]! : Math.sqrt(rest);
    }
    done[0] = i;
    if (!(row[i]! > 0) || row[i] === Infinity) return;
    a.set(row, i * stride);
  }
  done[0] = n;
};

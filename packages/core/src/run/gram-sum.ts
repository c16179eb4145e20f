import { multiplyAdd } from "../linalg/multiply-add.ts";
import type { PassKernels } from "../pass-kernels.ts";

/** Elements of a lower triangle with its diagonal. */
export const triangle = (columns: number): number => (columns * (columns + 1)) / 2;

/** A sum of XᵀX over rows that come a few at a time. */
export interface GramSum {
  /** Adds `count` rows of a group; `rows` may change afterwards. */
  add(rows: Float32Array | Float64Array, count: number, group: number, kernels?: PassKernels): void;
  /** [groups, columns * (columns + 1) / 2], lower triangles row by row, of all rows so far. */
  total(): Float64Array;
}

/** Rows that wait to be added together take at most half of what the triangle takes. */
const rowsOf = (columns: number) => Math.min(1024, 64 * Math.ceil(columns / 128));

interface Waiting {
  readonly rows: Float32Array;
  count: number;
}

/**
 * A sum of XᵀX in double precision. With a kernel for it, rows wait until there are enough of them, as the triangle is
 * read and written for each product, and are added when the total is asked for at the latest.
 */
export const gramSum = (columns: number, groups: number): GramSum => {
  const gram = new Float64Array(groups * triangle(columns));
  const waiting = new Map<number, Waiting>();
  let kernel: PassKernels["gram"];
  const sumOf = (group: number) => gram.subarray(group * triangle(columns), (group + 1) * triangle(columns));

  const addNow = (x: Float32Array | Float64Array, count: number, group: number) => {
    const base = group * triangle(columns);
    const rows = { data: x, offset: 0, rows: count, columns, rowStep: columns, columnStep: 1 };
    const turned = { ...rows, rows: columns, columns: count, rowStep: 1, columnStep: columns };
    multiplyAdd({ data: gram, rowStart: (row) => base + triangle(row), lower: true }, turned, rows);
  };
  const flush = (group: number, { rows, count }: Waiting) => {
    if (count > 0) kernel!(sumOf(group), rows, count, columns);
    waiting.set(group, { rows, count: 0 });
  };

  return {
    add(x, count, group, kernels) {
      if (!kernels?.gram || !(x instanceof Float32Array)) {
        addNow(x, count, group);
        return;
      }
      kernel = kernels.gram;
      const most = rowsOf(columns);
      for (let done = 0; done < count; ) {
        const place = waiting.get(group) ?? { rows: new Float32Array(most * columns), count: 0 };
        const taken = Math.min(count - done, most - place.count);
        place.rows.set(x.subarray(done * columns, (done + taken) * columns), place.count * columns);
        place.count += taken;
        done += taken;
        waiting.set(group, place);
        if (place.count === most) flush(group, place);
      }
    },
    total() {
      for (const [group, place] of waiting) flush(group, place);
      return gram;
    },
  };
};

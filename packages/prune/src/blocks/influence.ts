import { type Context, checkAborted, type Model, openSession, type Tensor } from "@espalier/core";
import type { Block } from "./find-blocks.ts";

/** Sum over rows of 1 - cos(x, y), and how many rows there are; undefined where the two are not alike. */
const turning = (x: Tensor, y: Tensor): { sum: number; rows: number } | undefined => {
  if (x.type !== "float32" || y.type !== "float32" || x.dims.join() !== y.dims.join()) return undefined;
  const [a, b] = [x.data as Float32Array, y.data as Float32Array];
  const width = x.dims.at(-1) ?? 1;
  let [sum, rows] = [0, 0];
  for (let from = 0; from < a.length; from += width, rows++) {
    let [xx, yy, xy] = [0, 0, 0];
    for (let i = from; i < from + width; i++) {
      xx += a[i] * a[i];
      yy += b[i] * b[i];
      xy += a[i] * b[i];
    }
    // a row of zeros that stays one has not turned
    const size = Math.sqrt(xx) * Math.sqrt(yy);
    sum += size > 0 ? 1 - xy / size : Number(xx !== yy);
  }
  return { sum, rows };
};

/**
 * How far each block turns the rows that pass through it, on calibration data:
 *
 *     BI = 1 - mean over rows of cos(x_in, x_out)
 *
 * NaN where input and output differ in type or shape. Source: arXiv:2403.03853, eq. 1.
 */
export const blockInfluence = async (
  where: string,
  model: Model,
  blocks: readonly Block[],
  { ort, calibration, threads, signal, progress }: Context,
): Promise<readonly number[]> => {
  const names = [...new Set(blocks.flatMap(({ input, output }) => [input, output]))];
  const session = await openSession(ort!, model, { fetch: names, ...(threads !== undefined && { threads }) });
  const sums = blocks.map(() => ({ sum: 0, rows: 0 }));
  progress({ kind: "start", task: where });
  let done = 0;
  try {
    for await (const feeds of calibration!()) {
      checkAborted(where, signal);
      const values = await session.run(feeds, names);
      blocks.forEach(({ input, output }, i) => {
        const { sum, rows } = turning(values[input], values[output]) ?? { sum: Number.NaN, rows: 1 };
        sums[i].sum += sum;
        sums[i].rows += rows;
      });
      progress({ kind: "step", task: where, done: ++done });
    }
  } finally {
    await session.release();
  }
  progress({ kind: "end", task: where });
  return sums.map(({ sum, rows }) => sum / rows);
};

import { type Rng, roundToHalf } from "@espalier/core";
import { eigenSymmetric, type Matrix } from "@espalier/core/linalg";
import { kMeans } from "./k-means.ts";
import type { Palette } from "./palette.ts";

/** XᵀX of the inputs of all blocks of `width` columns together, [width, width]. */
export const blockGram = ({ columns, data }: Matrix, width: number): Matrix => {
  const sum = new Float64Array(width * width);
  for (let block = 0; block < columns; block += width)
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++) sum[i * width + j]! += data[(block + i) * columns + block + j]!;
  return { rows: width, columns: width, data: sum };
};

/** R with RᵀR = G, [width, width]: distances of R v are output errors |x (c - v)|². */
const rootOf = (gram: Matrix): Float64Array => {
  const { values, vectors } = eigenSymmetric(gram);
  const n = gram.rows;
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return Math.sqrt(Math.max(0, values[i]!)) * vectors.data[j * n + i]!;
  });
};

interface ProductPaletteOptions {
  /** Columns of a subvector, which divide the columns. */
  readonly width: number;
  readonly bits: number;
  readonly rng: Rng;
  readonly steps?: number;
  /** [width, width]: `blockGram` of the inputs; subvectors are as near as they are without. */
  readonly gram?: Matrix | undefined;
  readonly half: boolean;
}

/**
 * Subvectors of the rows by the nearest of 2^bits codewords, which expectation maximization finds for the least error of
 * the output:
 *
 *     E: code = argmin_c |x (c - v)|²      M: c = mean of its v      |x u|² = uᵀ G u, G = XᵀX of all blocks
 *
 * In coordinates R v with RᵀR = G this is k-means. Source: "And the Bit Goes Down", arXiv:1907.05686, section 3.2,
 * without its fine-tuning; its pseudo-inverse A⁺A mean(v) has the mean's output.
 *
 * @param w [rows, columns], finite
 */
export const productPalette = (
  w: Float32Array,
  rows: number,
  columns: number,
  { width, bits, rng, steps, gram, half }: ProductPaletteOptions,
): Palette & { readonly errors: readonly number[] } => {
  const vectors = Float64Array.from(w);
  const root = gram && rootOf(gram);
  const seen = new Float64Array(vectors.length);
  if (!root) seen.set(vectors);
  else
    for (let at = 0; at < vectors.length; at += width)
      for (let i = 0; i < width; i++) {
        let sum = 0;
        for (let j = 0; j < width; j++) sum += root[i * width + j]! * vectors[at + j]!;
        seen[at + i] = sum;
      }
  const { codes, errors } = kMeans(seen, width, 2 ** bits, { rng, ...(steps !== undefined && { steps }) });
  const values = new Float32Array(2 ** bits * width);
  const sums = new Float64Array(values.length);
  const counts = new Uint32Array(2 ** bits);
  codes.forEach((code, i) => {
    counts[code]!++;
    for (let axis = 0; axis < width; axis++) sums[code * width + axis]! += vectors[i * width + axis]!;
  });
  const round = half ? roundToHalf : Math.fround;
  for (let i = 0; i < values.length; i++) values[i] = round(sums[i]! / (counts[Math.floor(i / width)]! || 1));
  return { bits, rows, columns, width, groupSize: rows, groups: 1, codes: Uint8Array.from(codes), values, errors };
};

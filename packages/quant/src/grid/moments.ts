import { roundToHalf } from "@espalier/core";
import { type Grid, middleOf, type ScaleType } from "./grid.ts";

/**
 * The grid with the mean and the norm of each block made those of its weights, which costs nothing but zero points that are
 * no whole numbers.
 *
 *     μ = E[w] - E[ŵ]      ξ = ‖w - E[w]‖ / ‖ŵ - E[ŵ]‖      ŵ <- ξ (ŵ - E[ŵ]) + E[w]
 *
 * Blocks whose codes are all alike get the mean alone. Source: arXiv:1810.05723, section 4 (bias correction), with the
 * norm taken about the mean.
 *
 * @param w [rows, columns], the values that were quantized
 */
export const correctMoments = (w: ArrayLike<number>, grid: Grid, scaleType: ScaleType = "float32"): Grid => {
  const { bits, rows, columns, blockSize, blocks, codes } = grid;
  const round = scaleType === "float16" ? roundToHalf : Math.fround;
  const scales = grid.scales.slice();
  const zeroPoints = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row++)
    for (let block = 0; block < blocks; block++) {
      const at = row * blocks + block;
      const [start, end] = [
        row * columns + block * blockSize,
        row * columns + Math.min(columns, (block + 1) * blockSize),
      ];
      const zero = grid.zeroPoints ? grid.zeroPoints[at]! : middleOf(bits);
      let [mean, codeMean] = [0, 0];
      for (let i = start; i < end; i++) {
        mean += w[i]! / (end - start);
        codeMean += codes[i]! / (end - start);
      }
      let [spread, codeSpread] = [0, 0];
      for (let i = start; i < end; i++) {
        spread += (w[i]! - mean) ** 2;
        codeSpread += (codes[i]! - codeMean) ** 2;
      }
      const sign = Math.sign(scales[at]!) || 1;
      if (codeSpread > 0 && spread > 0) scales[at] = sign * round(Math.sqrt(spread / codeSpread));
      // (code - zero) scale has the mean E[w]
      zeroPoints[at] = scales[at] === 0 ? zero : codeMean - mean / scales[at]!;
    }
  const { packed: _, ...rest } = grid;
  return { ...rest, scales, zeroPoints };
};

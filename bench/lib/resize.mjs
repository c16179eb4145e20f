/** Fraction bits of the weights in Pillow's 8-bit resampling: 32 less 8 of the pixel and 2 of headroom. */
const FRACTION_BITS = 22;
const BYTE_MAX = 255;
const CHANNELS = 3;

/**
 * The image squeezed to a smaller width by the antialiased triangle filter of Pillow (`Image.BILINEAR`), to the bit:
 *
 *     scale = width / newWidth      centre(x) = (x + 0.5) * scale
 *     weight(x, s) ~ max(0, 1 - |s + 0.5 - centre(x)| / scale), normalized, rounded to 22 fraction bits
 *
 * @param pixels [height, width, 3] uint8
 * @returns      [height, newWidth, 3] uint8
 */
export const squeezeWidth = (pixels, height, width, newWidth) => {
  const scale = width / newWidth;
  const support = Math.max(scale, 1);
  const one = 2 ** FRACTION_BITS;
  const result = new Uint8Array(height * newWidth * CHANNELS);
  for (let x = 0; x < newWidth; x++) {
    const centre = (x + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(width, Math.trunc(centre + support + 0.5));
    const weights = [];
    for (let s = first; s < last; s++) weights.push(Math.max(0, 1 - Math.abs((s - centre + 0.5) / support)));
    const sum = weights.reduce((total, w) => total + w, 0);
    const fixed = weights.map((w) => Math.trunc((w / sum) * one + 0.5));
    for (let y = 0; y < height; y++)
      for (let c = 0; c < CHANNELS; c++) {
        let total = one / 2;
        for (const [i, w] of fixed.entries()) total += w * pixels[(y * width + first + i) * CHANNELS + c];
        result[(y * newWidth + x) * CHANNELS + c] = Math.min(BYTE_MAX, Math.max(0, Math.floor(total / one)));
      }
  }
  return result;
};

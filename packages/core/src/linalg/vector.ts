/** sum of a[i + k] * b[j + k] for k < length, in four running sums. */
export const dotAt = (a: Float64Array, i: number, b: Float64Array, j: number, length: number): number => {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < length; k += 4) {
    s0 += a[i + k] * b[j + k];
    s1 += a[i + k + 1] * b[j + k + 1];
    s2 += a[i + k + 2] * b[j + k + 2];
    s3 += a[i + k + 3] * b[j + k + 3];
  }
  for (; k < length; k++) s0 += a[i + k] * b[j + k];
  return s0 + s1 + (s2 + s3);
};

/** y[j + k] += factor * x[i + k] for k < length. */
export const addAt = (factor: number, x: Float64Array, i: number, y: Float64Array, j: number, length: number): void => {
  for (let k = 0; k < length; k++) y[j + k] += factor * x[i + k];
};

/** (x, y) <- (c x - s y, s x + c y), element by element. */
export const rotateAt = (
  x: Float64Array,
  i: number,
  y: Float64Array,
  j: number,
  length: number,
  c: number,
  s: number,
): void => {
  for (let k = 0; k < length; k++) {
    const [a, b] = [x[i + k], y[j + k]];
    x[i + k] = c * a - s * b;
    y[j + k] = s * a + c * b;
  }
};

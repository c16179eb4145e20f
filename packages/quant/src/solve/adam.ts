/** First and second moments' shares of the past, and what keeps the step finite. Source: arXiv:1412.6980, section 2. */
const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8];

/**
 * Steps of Adam on an array, in place: x -= rate · m̂ / (√v̂ + 1e-8). Source: arXiv:1412.6980, algorithm 1.
 *
 * @returns a function of the gradient, which it reads and does not keep
 */
export const adam = (x: Float64Array, rate: number): ((gradient: Float64Array) => void) => {
  const [m, v] = [new Float64Array(x.length), new Float64Array(x.length)];
  let [share1, share2] = [1, 1];
  return (gradient) => {
    share1 *= BETA1;
    share2 *= BETA2;
    for (let i = 0; i < x.length; i++) {
      const g = gradient[i]!;
      m[i] = BETA1 * m[i]! + (1 - BETA1) * g;
      v[i] = BETA2 * v[i]! + (1 - BETA2) * g * g;
      x[i]! -= (rate * m[i]!) / (1 - share1) / (Math.sqrt(v[i]! / (1 - share2)) + EPSILON);
    }
  };
};

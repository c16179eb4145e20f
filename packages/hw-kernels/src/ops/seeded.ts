/** Random numbers in 0..1 from a seed. Source: mulberry32, Tommy Ettinger, public domain. */
export const seeded = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Numbers on which kernels go wrong: zeros of both signs, denormals, far ends, equal runs. */
const EDGES = [0, -0, 2 ** -140, -(2 ** -149), 1, 1, 1, -1, 3e4, -3e4, 2 ** -60, 16777215];
const EVERY = 5;

/** `count` float32 values in -1..1, every fifth of them an edge case if `adversarial`. */
export const randomFloats = (count: number, seed: number, adversarial = false): Float32Array => {
  const random = seeded(seed);
  return Float32Array.from({ length: count }, (_, i) =>
    adversarial && i % EVERY === EVERY - 1 ? EDGES[Math.floor(random() * EDGES.length)]! : random() * 2 - 1,
  );
};

const EDGES64 = [0, -0, 2 ** -1060, -(2 ** -1074), 1, 1, 1, -1, 3e40, -3e40, 2 ** -600, 2 ** 53 - 1];

/** The same in float64, with 53 random bits. */
export const randomDoubles = (count: number, seed: number, adversarial = false): Float64Array => {
  const random = seeded(seed);
  return Float64Array.from({ length: count }, (_, i) =>
    adversarial && i % EVERY === EVERY - 1
      ? EDGES64[Math.floor(random() * EDGES64.length)]!
      : random() * 2 - 1 + (random() - 0.5) * 2 ** -32,
  );
};

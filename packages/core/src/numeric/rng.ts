/** Seeded random numbers; `fork(label)` gives an independent stream that depends on the seed and the label only. */
export interface Rng {
  /** Uniform in [0, 1), 32 random bits. */
  uniform(): number;
  normal(): number;
  /** Uniform integer in [0, n). */
  below(n: number): number;
  fork(label: string): Rng;
}

const TWO_32 = 2 ** 32;
const GOLDEN = 0x9e3779b9;
/** FNV-1a, 32 bits. Source: RFC 9923. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

const hashOf = (text: string): number => {
  let hash = FNV_OFFSET;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return hash >>> 0;
};

/** A stream of well-mixed 32-bit words from a seed. Source: splitmix32, the 32-bit form of doi:10.1145/2714064.2660195. */
const splitMix = (seed: number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + GOLDEN) >>> 0;
    let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return (word ^ (word >>> 15)) >>> 0;
  };
};

const rotate = (word: number, by: number) => (word << by) | (word >>> (32 - by));

/** Words of xoshiro128**. Source: arXiv:1805.01407. */
const words = (seeds: () => number) => {
  let [a, b, c, d] = [seeds(), seeds(), seeds(), seeds()];
  return () => {
    const word = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return word;
  };
};

/**
 * Random numbers that depend on the seed alone, in every runtime. `fork(label)` depends on the seed and the labels on
 * the way, not on what was drawn before, so that the layers of a model can be worked on in any order.
 */
export const createRng = (seed: number): Rng => {
  const next = words(splitMix(seed));
  const uniform = () => next() / TWO_32;
  return {
    uniform,
    // Box-Muller; 1 - u is in (0, 1]
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    below: (n) => Math.floor((next() / TWO_32) * n),
    fork: (label) => createRng((Math.imul(seed ^ GOLDEN, GOLDEN) ^ hashOf(label)) >>> 0),
  };
};

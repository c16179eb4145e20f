import type { Rng } from "@espalier/core";
import { type Matrix, matrix, qr } from "@espalier/core/linalg";

const isPrime = (n: number): boolean => {
  if (n < 2) return false;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
};

/** Order q + 1 for a prime q = 3 mod 4, from the squares modulo q. Source: R. Paley, J. Math. Phys. 12, 1933, construction I. */
const paley = (n: number): Int8Array => {
  const q = n - 1;
  const squares = new Set(Array.from({ length: q - 1 }, (_, i) => ((i + 1) * (i + 1)) % q));
  const h = new Int8Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      if (i === 0) h[j] = 1;
      else if (j === 0) h[i * n] = -1;
      else if (i === j) h[i * n + j] = 1;
      else h[i * n + j] = squares.has((((i - j) % q) + q) % q) ? 1 : -1;
    }
  return h;
};

/**
 * A Hadamard matrix of signs, H Hᵀ = n I: Sylvester's of a power of two, Paley's, or the Kronecker product of both;
 * undefined where these give none.
 */
export const hadamard = (n: number): Int8Array | undefined => {
  const isPower = Number.isInteger(Math.log2(n));
  let core = isPower ? 1 : n;
  let found: Int8Array | undefined;
  for (; ; core /= 2) {
    if (core === 1) found = Int8Array.of(1);
    else if (core % 4 === 0 && isPrime(core - 1)) found = paley(core);
    if (found || core % 2 !== 0) break;
  }
  if (!found) return undefined;
  let [h, size] = [found, core];
  while (size < n) {
    const next = new Int8Array(4 * size * size);
    for (let i = 0; i < 2 * size; i++)
      for (let j = 0; j < 2 * size; j++) {
        const sign = i >= size && j >= size ? -1 : 1;
        next[i * 2 * size + j] = sign * h[(i % size) * size + (j % size)]!;
      }
    [h, size] = [next, 2 * size];
  }
  return h;
};

/**
 * An orthogonal matrix of n rows: a Hadamard matrix with random signs of its rows, over √n; or Q of a random Gaussian
 * matrix, also where there is no Hadamard matrix at hand. Source: arXiv:2404.00456, section 3.
 */
export const rotation = (n: number, kind: "hadamard" | "random", rng: Rng): Matrix => {
  const h = kind === "hadamard" ? hadamard(n) : undefined;
  const made = matrix(n, n);
  if (!h) {
    for (let i = 0; i < made.data.length; i++) made.data[i] = rng.normal();
    return qr(made).q;
  }
  for (let i = 0; i < n; i++) {
    const size = (rng.uniform() < 1 / 2 ? -1 : 1) / Math.sqrt(n);
    for (let j = 0; j < n; j++) made.data[i * n + j] = size * h[i * n + j]!;
  }
  return made;
};

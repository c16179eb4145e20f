import { attrs, createRng, type Feeds, type Model, makeNode, type Tensor, tensor } from "@espalier/core";
import { type Matrix, matrix } from "@espalier/core/linalg";
import { tinyModel } from "@espalier/core/testing";

const [INPUTS, OUTPUTS, SAMPLES] = [64, 48, 2048];
const LOUD = [3, 17];

export interface Toy {
  readonly model: Model;
  readonly feeds: Feeds;
  /** [outputs, inputs] */
  readonly w: Float32Array;
  /** XᵀX / n */
  readonly H: Matrix;
}

/** y = x wᵀ as a model; w [out, in]. */
export const linearModel = (w: Tensor): Model =>
  tinyModel({
    inputs: { x: ["float32", ["t", w.dims[1]]] },
    outputs: ["y"],
    weights: { w },
    nodes: [makeNode("Gemm", ["x", "w"], ["y"], { transB: attrs.int(1) }, { name: "layer" })],
  });

export const gramOfRows = (x: ArrayLike<number>, columns: number): Matrix => {
  const H = matrix(columns, columns);
  const n = x.length / columns;
  for (let r = 0; r < n; r++)
    for (let i = 0; i < columns; i++)
      for (let j = 0; j < columns; j++) H.data[i * columns + j] += (x[r * columns + i] * x[r * columns + j]) / n;
  return H;
};

/** The fixture "toy-linear": mixed inputs of log-normal size, two of them 12 times larger, weights of Student's t. */
export const toy = (seed: number): Toy => {
  const rng = createRng(seed);
  const mix = Float64Array.from({ length: INPUTS * INPUTS }, (_, i) => {
    const near = 0.35 * rng.normal();
    return i % (INPUTS + 1) === 0 ? 1 + near : near;
  });
  const size = Float64Array.from({ length: INPUTS }, (_, i) => Math.exp(rng.normal()) * (LOUD.includes(i) ? 12 : 1));
  const x = new Float32Array(SAMPLES * INPUTS);
  for (let r = 0; r < SAMPLES; r++) {
    const z = Float64Array.from({ length: INPUTS }, () => rng.normal());
    for (let j = 0; j < INPUTS; j++) {
      let sum = 0;
      for (let i = 0; i < INPUTS; i++) sum += z[i] * mix[i * INPUTS + j];
      x[r * INPUTS + j] = sum * size[j];
    }
  }
  const w = Float32Array.from({ length: OUTPUTS * INPUTS }, () => {
    let chi = 0;
    for (let i = 0; i < 5; i++) chi += rng.normal() ** 2;
    return (rng.normal() / Math.sqrt(chi / 5)) * 0.05;
  });
  return {
    model: linearModel(tensor("float32", [OUTPUTS, INPUTS], w)),
    feeds: { x: tensor("float32", [SAMPLES, INPUTS], x) },
    w,
    H: gramOfRows(x, INPUTS),
  };
};

/** tr((a - b) H (a - b)ᵀ), naively. */
export const outputError = (a: ArrayLike<number>, b: ArrayLike<number>, H: Matrix): number => {
  const n = H.columns;
  let error = 0;
  for (let from = 0; from < a.length; from += n)
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        error += (a[from + i] - b[from + i]) * H.data[i * n + j] * (a[from + j] - b[from + j]);
  return error;
};

/** A random positive definite matrix. */
export const randomGram = (columns: number, seed: number): Matrix => {
  const rng = createRng(seed);
  const x = Float64Array.from({ length: 3 * columns * columns }, () => rng.normal() + 0.5);
  return gramOfRows(x, columns);
};

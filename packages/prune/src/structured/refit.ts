import { attrs, type Context, checkAborted, floatValues, type Layer, type Model, openSession } from "@espalier/core";
import { type LinearAlgebra, linearAlgebra, type Matrix, matrix, squaredNorm } from "@espalier/core/linalg";
import { inputView, outputRows } from "./input-view.ts";
import { addRows, addTo, columnSums, covariance, emptyMoments, type MomentSums } from "./moments.ts";
import { layersByWeight } from "./unit-group.ts";

/** The weight and shift of a layer, in the order of its columns before any went. */
export interface Solution {
  /** [rows, columns], 0 in the columns that go. */
  readonly w: Float32Array;
  /** [out], added to the output. */
  readonly shift: Float64Array;
}

/** Shares of the mean of the diagonal that hold the weights where they are; the best on data that was left out is taken. */
const RIDGES = [1e-3, 1e-2, 1e-1];

/** Runs over the data: layers beyond so many share one, and are solved on what those before them gave. */
const MOST_RUNS = 32;

/** What the pruned model gives a layer, x, beside what the layer gave, y. */
interface PairSums extends MomentSums {
  /** Σ y xᵀ, [out, columns] */
  readonly products: Matrix;
  /** Σ y, Σ y² */
  readonly outputs: Float64Array;
}

const emptyPairs = (out: number, columns: number): PairSums => ({
  ...emptyMoments(columns),
  products: matrix(out, columns),
  outputs: new Float64Array(out),
});

const together = (a: PairSums, b: PairSums): PairSums => {
  const sum = (p: Matrix, q: Matrix): Matrix => ({ ...p, data: p.data.map((value, i) => value + q.data[i]) });
  return {
    n: a.n + b.n,
    squares: sum(a.squares, b.squares),
    sums: a.sums.map((value, i) => value + b.sums[i]),
    products: sum(a.products, b.products),
    outputs: a.outputs.map((value, i) => value + b.outputs[i]),
  };
};

interface Covariances {
  readonly xx: Matrix;
  readonly yx: Matrix;
}

const covariancesOf = ({ n, squares, sums, products, outputs }: PairSums): Covariances => ({
  xx: covariance(squares, sums, sums, n),
  yx: covariance(products, outputs, sums, n),
});

/** W = (Σyx + λ W₀) (Σxx + λ I)⁻¹, the ridge regression that is drawn to W₀. */
const ridgeTo = ({ xx, yx }: Covariances, w0: Matrix, ridge: number, algebra: LinearAlgebra): Matrix => {
  const { l, damping } = algebra.dampedCholesky(xx, { damp: ridge });
  const right = matrix(yx.columns, yx.rows);
  for (let o = 0; o < yx.rows; o++)
    for (let c = 0; c < yx.columns; c++)
      right.data[c * yx.rows + o] = yx.data[o * yx.columns + c] + damping * w0.data[o * yx.columns + c];
  const solved = algebra.solveCholesky(l, right);
  const out = matrix(yx.rows, yx.columns);
  for (let o = 0; o < yx.rows; o++)
    for (let c = 0; c < yx.columns; c++) out.data[o * yx.columns + c] = solved.data[c * yx.rows + o];
  return out;
};

/** E ‖y - W x‖² about the means, less E ‖y‖². */
const errorOf = (w: Matrix, { xx, yx }: Covariances, { matmul }: LinearAlgebra): number => {
  const wx = matmul(w, xx);
  let error = 0;
  for (let i = 0; i < w.data.length; i++) error += w.data[i] * (wx.data[i] - 2 * yx.data[i]);
  return error;
};

/** The weights that err least on the half of the data that they were not solved on; solved anew on all of it. */
const bestRidge = (halves: readonly PairSums[], w0: Matrix, algebra: LinearAlgebra): Matrix | undefined => {
  const [fitted, held] = halves.map(covariancesOf);
  const all = covariancesOf(together(halves[0], halves[1]));
  if (!squaredNorm(all.xx) || !Number.isFinite(squaredNorm(all.yx))) return undefined;
  let best = { error: errorOf(w0, held, algebra), ridge: 0 };
  for (const ridge of RIDGES) {
    const error = errorOf(ridgeTo(fitted, w0, ridge, algebra), held, algebra);
    if (error < best.error) best = { error, ridge };
  }
  return best.ridge === 0 ? w0 : ridgeTo(all, w0, best.ridge, algebra);
};

/** Whether a layer's output is W x + bias, and where the bias is. */
const plainOutput = ({ node, kind }: Layer): boolean =>
  node.domain === "" &&
  (kind === "conv" || kind === "linear") &&
  attrs.floatOf(node, "alpha", 1) === 1 &&
  attrs.floatOf(node, "beta", 1) === 1;

const canRefit = (layer: Layer): boolean => plainOutput(layer) && inputView(layer)?.aligned === true;

const biasOf = async (model: Model, { node, weight }: Layer): Promise<Float32Array | undefined> => {
  if (!node.inputs[2]) return new Float32Array(weight.dims[0]);
  const given = model.graph.weights.get(node.inputs[2]);
  const values = given && (await floatValues(given));
  return values?.length === weight.dims[0] ? values : undefined;
};

export interface RefitOptions {
  readonly where: string;
  /** Layers with the columns that they lose, in the order of the graph. */
  readonly gone: ReadonlyMap<Layer, ReadonlySet<number>>;
  /** The small model that solutions of layers make. */
  build(solutions: ReadonlyMap<Layer, Solution>): Promise<Model>;
}

/**
 * Solutions of layers fitted to what the original model gives, on the inputs that the pruned model really has:
 *
 *     W, s = argmin E ‖(y + b) - (W x + b + s)‖² + λ ‖W - W₀‖²      y of the original, x of the pruned model
 *
 * Layer after layer in the order of the graph, each on what those before it give; λ by the half of the samples that a fit
 * has not seen, and W₀ stays where nothing betters it. Layers whose input is looked at pixel by pixel keep theirs.
 * Source: least-squares reconstruction with asymmetric data, arXiv:1707.06168.
 */
export const refit = async (
  model: Model,
  first: ReadonlyMap<Layer, Solution>,
  ctx: Context,
  { where, gone, build }: RefitOptions,
): Promise<ReadonlyMap<Layer, Solution>> => {
  const algebra = linearAlgebra(ctx.kernels);
  const wanted = [...gone.keys()].filter(canRefit);
  const solutions = new Map(first);
  if (wanted.length === 0) return solutions;
  const onThreads = ctx.threads === undefined ? {} : { threads: ctx.threads };
  const size = Math.ceil(wanted.length / MOST_RUNS);
  const original = await openSession(ctx.ort!, model, { fetch: wanted.map(({ output }) => output), ...onThreads });
  try {
    ctx.progress({ kind: "start", task: where, total: wanted.length });
    for (let from = 0; from < wanted.length; from += size) {
      const part = wanted.slice(from, from + size);
      const small = await build(solutions);
      const found = await pairsOf(small, part, original, ctx, where);
      for (const layer of part) {
        const pairs = found.get(layer);
        const made = pairs && (await solved(model, layer, gone.get(layer)!, pairs, solutions.get(layer), algebra));
        if (made) solutions.set(layer, made);
      }
      ctx.progress({ kind: "step", task: where, done: from + part.length, total: wanted.length });
    }
    ctx.progress({ kind: "end", task: where });
  } finally {
    await original.release();
  }
  return solutions;
};

const keptColumns = (layer: Layer, gone: ReadonlySet<number>): number[] =>
  Array.from({ length: inputView(layer)!.columns }, (_, c) => c).filter((c) => !gone.has(c));

/** Sums over two halves of the data. */
const pairsOf = async (
  small: Model,
  part: readonly Layer[],
  original: Awaited<ReturnType<typeof openSession>>,
  ctx: Context,
  where: string,
): Promise<ReadonlyMap<Layer, readonly PairSums[]>> => {
  const { gramMatrix, matmul } = linearAlgebra(ctx.kernels);
  const inSmall = layersByWeight(small);
  const matched = part.flatMap((layer) => {
    const other = inSmall.get(layer.weight.name);
    return other ? [{ layer, other, view: inputView(other)! }] : [];
  });
  const sums = new Map(
    matched.map(
      ({ layer, view }) => [layer, [0, 1].map(() => emptyPairs(layer.weight.dims[0], view.columns))] as const,
    ),
  );
  const session = await openSession(ctx.ort!, small, {
    fetch: matched.map(({ other }) => other.input),
    ...(ctx.threads !== undefined && { threads: ctx.threads }),
  });
  try {
    let sample = 0;
    for await (const feeds of ctx.calibration!()) {
      checkAborted(where, ctx.signal);
      const given = await session.run(feeds, [...new Set(matched.map(({ other }) => other.input))]);
      const aims = await original.run(feeds, [...new Set(matched.map(({ layer }) => layer.output))]);
      for (const { layer, other, view } of matched) {
        const { rows, places } = view.rowsIn(given[other.input]);
        const y = outputRows(aims[layer.output], layer.kind === "conv", places);
        const pairs = sums.get(layer)![sample % 2];
        addRows(pairs, rows, gramMatrix);
        addTo(pairs.products.data, matmul(y, rows, { transposeA: true }).data);
        addTo(pairs.outputs, columnSums(y));
      }
      sample++;
    }
  } finally {
    await session.release();
  }
  return sums;
};

const solved = async (
  model: Model,
  layer: Layer,
  gone: ReadonlySet<number>,
  pairs: readonly PairSums[],
  before: Solution | undefined,
  algebra: LinearAlgebra,
): Promise<Solution | undefined> => {
  const bias = await biasOf(model, layer);
  const halves = pairs[1].n > 0 ? pairs : [pairs[0], pairs[0]];
  if (!bias || halves[0].n === 0) return undefined;
  const view = inputView(layer)!;
  const [kept, out] = [keptColumns(layer, gone), layer.weight.dims[0]];
  const start = before?.w ?? view.toRows(await layer.weight.read());
  const w0 = matrix(out, kept.length);
  for (let o = 0; o < out; o++)
    for (const [i, c] of kept.entries()) w0.data[o * kept.length + i] = start[o * view.columns + c];
  const best = bestRidge(halves, w0, algebra);
  if (!best) return undefined;
  const { n, sums, outputs } = together(pairs[0], pairs[1]);
  const [w, shift] = [new Float32Array(start.length), new Float64Array(out)];
  for (let o = 0; o < out; o++) {
    shift[o] = outputs[o] / n - bias[o];
    for (const [i, c] of kept.entries()) {
      w[o * view.columns + c] = best.data[o * kept.length + i];
      shift[o] -= (best.data[o * kept.length + i] * sums[i]) / n;
    }
  }
  return { w, shift };
};

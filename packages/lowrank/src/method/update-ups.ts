import {
  attrs,
  type Context,
  checkAborted,
  type FloatType,
  floatTensor,
  type Layer,
  type Model,
  type Node,
  openSession,
  producers,
  type Tensor,
} from "@espalier/core";
import {
  dampedCholesky,
  gramMatrix,
  type Matrix,
  matmul,
  matrix,
  solveCholesky,
  transpose,
} from "@espalier/core/linalg";

/** A linear layer whose second factor is fitted anew. */
interface Fit {
  readonly layer: Layer;
  /** Value between the factors, in the factored model. */
  readonly hidden: string;
  /** Weight of the second factor, and whether it lies [rank, out]. */
  readonly up: string;
  readonly turned: boolean;
}

/** Sums over all rows: h hᵀ and x hᵀ. */
interface Sums {
  readonly own: Matrix;
  readonly cross: Matrix;
}

/** Parts into which the layers are cut: those of a part are fitted on what the fitted parts before it give. */
const PARTS = 6;
const DAMP = 1e-6;

/** The place of a layer's second factor in the factored model; undefined where it is not rows times a matrix. */
const fitOf = (layer: Layer, makers: ReadonlyMap<string, Node>, made: Model): Fit | undefined => {
  const { uses, path, output, kind, node } = layer;
  if (kind !== "linear" || uses.length > 1 || path.length > 0 || uses[0].index !== 1) return undefined;
  if (attrs.intOf(node, "transA", 0) !== 0 || attrs.floatOf(node, "alpha", 1) !== 1) return undefined;
  const second = makers.get(output);
  const up = second?.inputs[1];
  if (!second || second === node || !up || !made.graph.weights.has(up)) return undefined;
  return { layer, hidden: second.inputs[0], up, turned: attrs.intOf(second, "transB", 0) === 0 };
};

const rowsOf = ({ data, dims }: Tensor): Matrix => {
  const columns = dims.at(-1)!;
  return matrix(data.length / columns, columns, data as Float32Array);
};

const add = (sum: Matrix | undefined, more: Matrix): Matrix => {
  if (!sum) return more;
  more.data.forEach((value, i) => {
    sum.data[i] += value;
  });
  return sum;
};

const observe = async (
  model: Model,
  made: Model,
  fits: readonly Fit[],
  { ort, calibration, threads, signal }: Context,
) => {
  const [inputs, hiddens] = [
    [...new Set(fits.map(({ layer }) => layer.input))],
    [...new Set(fits.map(({ hidden }) => hidden))],
  ];
  const options = threads === undefined ? {} : { threads };
  const before = await openSession(ort!, model, { fetch: inputs, ...options });
  const after = await openSession(ort!, made, { fetch: hiddens, ...options });
  const sums = new Map<string, Sums>();
  try {
    for await (const feeds of calibration!()) {
      checkAborted("lowrank/svd-llm", signal);
      const [given, narrow] = [await before.run(feeds, inputs), await after.run(feeds, hiddens)];
      for (const hidden of hiddens) {
        const { layer } = fits.find((fit) => fit.hidden === hidden)!;
        const [x, h] = [rowsOf(given[layer.input]), rowsOf(narrow[hidden])];
        const known = sums.get(hidden);
        sums.set(hidden, {
          own: add(known?.own, gramMatrix(h)),
          cross: add(known?.cross, matmul(x, h, { transposeA: true })),
        });
      }
    }
  } finally {
    await before.release();
    await after.release();
  }
  return sums;
};

/** up = W (X Hᵀ) (H Hᵀ)⁻¹, as the tensor that the graph has. */
const fitted = async ({ layer, turned }: Fit, { own, cross }: Sums): Promise<Tensor | undefined> => {
  if (!own.data.every(Number.isFinite) || !cross.data.every(Number.isFinite)) return undefined;
  const [m, n] = layer.weight.dims;
  const w = matrix(m, n, await layer.weight.read());
  const up = solveCholesky(dampedCholesky(own, { damp: DAMP }).l, transpose(matmul(w, cross)));
  const type = layer.weight.tensor.type as FloatType;
  const values = turned ? up : transpose(up);
  return floatTensor(type, [values.rows, values.columns], Float32Array.from(values.data));
};

/**
 * The factored model with its second factors fitted to what the layers of the original give, on the inputs that the
 * factored model really has:
 *
 *     up = argmin ‖W X - up H‖² = W X Hᵀ (H Hᵀ)⁻¹      H = down X', X' the input in the factored model
 *
 * The layers are taken in six parts in their order, each fitted on what the parts before it give. Linear layers only.
 * Source: arXiv:2403.07378, section 3.2, with the output of the original layer on its own input for the target.
 */
export const updateUps = async (model: Model, made: Model, layers: readonly Layer[], ctx: Context): Promise<Model> => {
  const makers = producers(made.graph);
  const fits = layers.flatMap((layer) => fitOf(layer, makers, made) ?? []);
  const size = Math.ceil(fits.length / PARTS);
  let current = made;
  for (let first = 0; first < fits.length; first += size) {
    const part = fits.slice(first, first + size);
    const sums = await observe(model, current, part, ctx);
    const weights = new Map(current.graph.weights);
    for (const fit of part) {
      const tensor = await fitted(fit, sums.get(fit.hidden)!);
      if (tensor) weights.set(fit.up, tensor);
    }
    current = { ...current, graph: { ...current.graph, weights } };
  }
  return current;
};

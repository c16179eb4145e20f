import { byteLengthOf, type Context, type Layer, type Model, replaceWeights, type Tensor } from "@espalier/core";
import { type Mask, maskKey, pathsOf, withMasks, zerosIn } from "../mask.ts";
import type { MatrixView } from "../matrix-view.ts";
import { parseBlock, zerosInBlocks } from "../pattern/block.ts";

/** A layer with the values that it gets. */
export interface Result {
  readonly layer: Layer;
  readonly tensor: Tensor;
  readonly mask: Mask;
}

/** @param rows [rows, columns] of the view */
export const resultOf = (
  layer: Layer,
  view: MatrixView,
  rows: Float32Array,
  promise: Pick<Mask, "pattern" | "order"> = {},
): Result => {
  const block = promise.pattern === undefined ? undefined : parseBlock("prune", promise.pattern);
  const zeros = block ? zerosInBlocks(rows, view.columns, block) : zerosIn(rows);
  return { layer, tensor: layer.weight.write(view.fromRows(rows)), mask: { zeros, ...promise } };
};

const PER_CENT = 100;

/** Says what became of a layer. A weight with zeros takes as many bytes as one without until something stores it otherwise. */
export const reportPruned = (where: string, { report }: Pick<Context, "report">, { layer, tensor, mask }: Result) => {
  const bytes = byteLengthOf(tensor.type, tensor.dims);
  const count = layer.weight.dims.reduce((product, dim) => product * dim, 1);
  const share = ((PER_CENT * mask.zeros) / count).toFixed(1);
  const pattern = mask.pattern === undefined ? "" : `, ${mask.pattern}${mask.order ? " in another order" : ""}`;
  report({
    pass: where,
    layer: layer.name,
    action: "changed",
    form: `${share} % zeros${pattern}; expanded: same bytes`,
    bytesBefore: bytes,
    bytesAfter: bytes,
  });
};

/** The model with pruned weights in place, and their masks noted. */
export const putPruned = (model: Model, results: readonly Result[]): Model => {
  if (results.length === 0) return model;
  const paths = pathsOf(model);
  const masks = new Map(
    results.map(({ layer: { weight }, mask }) => [maskKey(paths.get(weight.owner) ?? [], weight.name), mask]),
  );
  const written = results.map(({ layer, tensor }) => [layer.weight, tensor] as const);
  return withMasks(replaceWeights(model, written), masks);
};

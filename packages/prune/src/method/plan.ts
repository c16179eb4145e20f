import { type Context, checkAborted, type Layer, layers, type Model, unselected } from "@espalier/core";
import { roundHalfEven } from "../half-even.ts";
import { type MatrixView, matrixView } from "../matrix-view.ts";
import { checkSparsity, type PruneOptions, type Rule } from "./prune-options.ts";

/** A layer that is to be pruned. */
export interface Planned {
  readonly layer: Layer;
  readonly view: MatrixView;
  readonly sparsity: number;
}

/** Why a rule does nothing, or too much, to a weight; undefined where it fits. */
export const misfit = (
  { rows, columns }: Pick<MatrixView, "rows" | "columns">,
  { pattern, block, scope }: Rule,
  sparsity: number,
): string | undefined => {
  if (pattern) {
    const { of } = pattern;
    return columns % of === 0 ? undefined : `${of} does not divide the ${columns} weights of its rows`;
  }
  if (sparsity === 0) return "its sparsity is 0";
  if (scope === "global") return undefined;
  if (block) {
    const { height, width } = block;
    if (rows % height !== 0 || columns % width !== 0)
      return `blocks of ${height} × ${width} do not fill its ${rows} × ${columns} weights`;
    return misfit({ rows: rows / height, columns: columns / width }, { sparsity, pattern, scope }, sparsity);
  }
  const [among, where] = scope === "row" ? [columns, " in a row"] : [rows * columns, ""];
  const count = roundHalfEven(sparsity * among);
  if (count === 0) return `sparsity ${sparsity} takes none of its ${among} weights${where}`;
  return count < among ? undefined : `sparsity ${sparsity} would leave none of its ${among} weights${where}`;
};

/** What a pass must know beforehand of the layers that it can treat. */
export interface PlanOptions extends PruneOptions {
  readonly rule: Rule;
  /** Further reasons to leave a layer alone. */
  readonly unfit?: (layer: Layer, view: MatrixView) => string | undefined;
}

const reasonAgainst = async (
  where: string,
  { layer, view, sparsity }: Planned,
  { rule, embeddings, unfit }: PlanOptions,
): Promise<string | undefined> => {
  if (layer.kind === "embedding" && !embeddings) return "it is a table of embeddings";
  checkSparsity(where, sparsity, `sparsity of layer "${layer.name}"`);
  const reason = misfit(view, rule, sparsity) ?? unfit?.(layer, view);
  if (reason !== undefined) return reason;
  return (await layer.weight.read()).every(Number.isFinite) ? undefined : "its weights are not all finite";
};

/**
 * The layers that a pass prunes, all checked before the first is; the others are reported with the reason.
 *
 * @throws EspalierError `BAD_OPTION` where a function gave a sparsity out of range, `ABORTED`
 */
export const planLayers = async (
  where: string,
  model: Model,
  { signal, report }: Pick<Context, "signal" | "report">,
  options: PlanOptions,
): Promise<Planned[]> => {
  const { rule, ratios } = options;
  const reasonOf = unselected(options);
  const planned: Planned[] = [];
  for (const layer of layers(model)) {
    checkAborted(where, signal);
    const selected = reasonOf(layer);
    const sparsity = typeof ratios === "function" && selected === undefined ? ratios(layer) : rule.sparsity;
    const plan = { layer, view: matrixView(layer), sparsity };
    const reason = selected ?? (await reasonAgainst(where, plan, options));
    if (reason === undefined) planned.push(plan);
    else report({ pass: where, layer: layer.name, action: "skipped", reason });
  }
  return planned;
};

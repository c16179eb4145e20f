import { EspalierError } from "@espalier/core";

export const badOption = (where: string, message: string): EspalierError =>
  new EspalierError("BAD_OPTION", where, message);

export const emptied = (where: string, layers: readonly string[], sparsity: number): EspalierError =>
  badOption(
    where,
    `sparsity ${sparsity} over all layers together would leave nothing of ${layers.map((name) => `"${name}"`).join(", ")}. Lower it, skip them, or choose scope "layer".`,
  );

export const badScores = (where: string, layer: string, found: string): EspalierError =>
  badOption(where, `the score of layer "${layer}" ${found}. Return one number for each weight, and no NaN.`);

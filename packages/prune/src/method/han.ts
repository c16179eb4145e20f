import { definePass, type Pass } from "@espalier/core";
import type { FitResult } from "@espalier/core/train";
import { badOption } from "../errors.ts";
import { applyMasks, keptLargest, type TrainScope } from "../training/lowest.ts";
import { type TrainPruneOptions, trainPruned, traits } from "../training/train-pruned.ts";
import { checkSparsity } from "./prune-options.ts";

export interface HanOptions extends TrainPruneOptions {
  /** Share of the weights that are zero after each round. Default 0.5, 0.7, 0.8, 0.9. */
  readonly sparsities?: readonly number[];
  /** Among which weights the smallest go. Default "global". */
  readonly scope?: TrainScope;
}

const NAME = "prune/han";

/**
 * Prunes the smallest weights and trains the others on from their values, in rounds of rising sparsity. `epochs` and the
 * schedule are those of each round.
 *
 * Source: Han et al. 2015, arXiv:1506.02626, section 3.
 *
 * @throws EspalierError `BAD_OPTION` for sparsities that don't rise from 0 to below 1, and what training throws
 */
export const han = ({ sparsities = [0.5, 0.7, 0.8, 0.9], scope = "global", ...options }: HanOptions = {}): Pass => {
  for (const [i, sparsity] of sparsities.entries())
    if (checkSparsity(NAME, sparsity) <= (sparsities[i - 1] ?? -1))
      throw badOption(NAME, `sparsities are ${sparsities.join(", ")}. Give numbers that rise.`);
  if (sparsities.length === 0) throw badOption(NAME, "sparsities are empty. Give one for each round.");
  return definePass({
    name: NAME,
    stage: "train",
    traits,
    apply: (model, ctx) =>
      trainPruned(NAME, model, ctx, options, async ({ net, weights, fitted }) => {
        let result: FitResult | undefined;
        for (const sparsity of sparsities) {
          applyMasks(net, await keptLargest(net, weights, sparsity, scope));
          result = await fitted({ keepZeros: weights.map(({ key }) => key) });
          if (result.diverged) break;
        }
        return result as FitResult;
      }),
  });
};

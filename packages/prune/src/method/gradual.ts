import { definePass, type Pass } from "@espalier/core";
import { badOption } from "../errors.ts";
import { cubicSchedule } from "../schedule.ts";
import { keptLargest, type TrainScope } from "../training/lowest.ts";
import { type TrainPruneOptions, trainPruned, traits } from "../training/train-pruned.ts";
import { checkSparsity } from "./prune-options.ts";

export interface GradualOptions extends TrainPruneOptions {
  /** Share of the weights that are zero in the end. Default 0.9. */
  readonly sparsity?: number;
  /** Share at the start. Default 0. */
  readonly initial?: number;
  /** Share of the training after which the sparsity stays. Default 0.7. */
  readonly until?: number;
  /** Steps from one choice of weights to the next. Default 8. */
  readonly every?: number;
  /** Among which weights the smallest go. Default "global". */
  readonly scope?: TrainScope;
}

const NAME = "prune/gradual";

/**
 * Prunes the smallest weights while the net trains, fast at first and slowly near the end.
 *
 * Source: Zhu and Gupta 2017, arXiv:1710.01878, eq. 1.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, and what training throws
 */
export const gradual = ({
  sparsity = 0.9,
  initial = 0,
  until = 0.7,
  every = 8,
  scope = "global",
  ...options
}: GradualOptions = {}): Pass => {
  checkSparsity(NAME, sparsity);
  cubicSchedule({ initial, final: sparsity, refreshes: 1, interval: every });
  if (!(until > 0 && until <= 1)) throw badOption(NAME, `until is ${until}. Give a share above 0, at most 1.`);
  return definePass({
    name: NAME,
    stage: "train",
    traits,
    apply: (model, ctx) =>
      trainPruned(NAME, model, ctx, options, ({ net, weights, fitted }) =>
        fitted({
          keepBest: false,
          method: {
            async before({ step, steps, masks }) {
              if (step % every !== 0) return;
              const refreshes = Math.max(1, Math.floor((until * steps) / every));
              const at = cubicSchedule({ initial, final: sparsity, refreshes, interval: every });
              // a training that is shorter than one interval prunes at once
              const share = steps <= every ? sparsity : at(step);
              for (const [key, kept] of await keptLargest(net, weights, share, scope)) {
                masks.get(key)?.dispose();
                masks.set(key, net.tf.tensor(kept, net.weights.get(key)?.shape) as never);
              }
            },
          },
        }),
      ),
  });
};

import { EspalierError } from "../../errors.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { ctcLoss } from "./ctc.ts";
import type { Loss } from "./loss-inputs.ts";
import { meanSquares } from "./mean-squares.ts";

export type LossName = "crossEntropy" | "ctc" | "meanSquares";

const losses: Readonly<Record<LossName, Loss>> = { crossEntropy: crossEntropy(), ctc: ctcLoss(), meanSquares };

/** A loss by its name, or the function itself. @throws EspalierError `BAD_OPTION` */
export const lossOf = (loss: LossName | Loss): Loss => {
  if (typeof loss === "function") return loss;
  if (Object.hasOwn(losses, loss)) return losses[loss];
  throw new EspalierError(
    "BAD_OPTION",
    "core/train",
    `loss is "${loss}". Choose ${Object.keys(losses).join(", ")}, or give a function.`,
  );
};

import { EspalierError } from "../../errors.ts";
import type { LabelledBatch } from "../../pass.ts";
import type { Tf, TfTensor } from "../tf.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { ctcLoss } from "./ctc.ts";
import { meanSquares } from "./mean-squares.ts";

/** Classes int32 or int64, values to come near to, or for CTC classes [N, longest] with the length of each. */
export type Labels = LabelledBatch["labels"];

/** What a loss is made of: the outputs of the model by name, and what they should be. */
export interface LossInputs {
  readonly tf: Tf;
  /** The first output, before its Softmax where it ends in one. */
  readonly output: TfTensor;
  /** All outputs, as the model gives them. */
  readonly outputs: Readonly<Record<string, TfTensor>>;
  readonly labels: Labels;
}

/** A scalar to make small. Runs inside a gradient. */
export type Loss = (inputs: LossInputs) => TfTensor;
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

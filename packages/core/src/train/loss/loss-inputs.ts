import type { LabelledBatch } from "../../pass.ts";
import type { Tf, TfTensor } from "../tf.ts";

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

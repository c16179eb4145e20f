import { isFloatType } from "../../numeric/floats.ts";
import type { Tensor } from "../../tensor.ts";
import { toDevice } from "../value.ts";
import { badLabels } from "./labels.ts";
import type { Loss } from "./loss-inputs.ts";

/** Mean of (output - label)². @throws EspalierError `BAD_DATA` where labels are no floats of the output's dims */
export const meanSquares: Loss = ({ tf, output, labels }) => {
  const t = labels as Tensor;
  if (t.type === undefined || !isFloatType(t.type)) throw badLabels("are no floats. Give values of the output's dims.");
  if (t.dims.join() !== output.shape.join())
    throw badLabels(`are [${t.dims}] for outputs [${output.shape}]. Give the same dims.`);
  return tf.mean(tf.square(tf.sub(output, toDevice(tf, t))));
};

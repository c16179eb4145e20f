import { EspalierError } from "../../errors.ts";
import { numbersOf } from "../../measure/numbers.ts";
import type { Tensor } from "../../tensor.ts";

export const badLabels = (what: string) => new EspalierError("BAD_DATA", "core/train", `the labels ${what}`);

/**
 * Class indices as numbers.
 *
 * @throws EspalierError `BAD_DATA` for what is not int32 or int64, and for classes out of range, with the first of them
 */
export const classesOf = (labels: unknown, classes: number, ignored?: number): Int32Array => {
  const t = labels as Tensor;
  if (t?.type !== "int32" && t?.type !== "int64")
    throw badLabels(`are ${t?.type ?? typeof labels}. Give a tensor of int32 or int64 classes.`);
  const values = Int32Array.from(numbersOf(t));
  const bad = values.findIndex((value) => value !== ignored && (value < 0 || value >= classes));
  if (bad >= 0)
    throw badLabels(`hold ${values[bad]} at ${bad}, and the model has ${classes} classes. Give 0 to ${classes - 1}.`);
  return values;
};

import type { Pass } from "@espalier/core";
import { badOption } from "../errors.ts";
import { type HqqSolveOptions, hqqRows } from "../solve/hqq.ts";
import { type RtnOptions, weightPass } from "./weight-pass.ts";

export interface HqqOptions extends Omit<RtnOptions, "rounding" | "clip">, HqqSolveOptions {}

const NAME = "quant/hqq";

/**
 * Half-quadratic quantization of weights, without data: scales, or float zero points (`zeroPoint: "float"`), fitted for
 * many small errors and few large ones, see `hqqRows`. Forms and plans are those of `rtn`.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, `UNSUPPORTED` as `rtn`
 */
export const hqq = ({
  bits = 4,
  symmetric = false,
  norm = 0.7,
  beta = 10,
  growth = 1.01,
  steps = 20,
  ...options
}: HqqOptions = {}): Pass => {
  if (!(norm > 0 && norm <= 1)) throw badOption(NAME, `norm is ${norm}. Give a number above 0 and up to 1.`);
  if (!(beta > 0 && growth >= 1))
    throw badOption(NAME, `beta is ${beta} and growth ${growth}. Give a beta above 0 and a growth of 1 or more.`);
  if (!Number.isInteger(steps) || steps < 1)
    throw badOption(NAME, `steps is ${steps}. Give a whole number of 1 or more.`);
  return weightPass({
    name: NAME,
    options: { ...options, bits, symmetric },
    round:
      () =>
      (w, { rows, columns }, grid) =>
        hqqRows(w, rows, columns, grid, { norm, beta, growth, steps }),
  });
};

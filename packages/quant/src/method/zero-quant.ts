import type { Pass } from "@espalier/core";
import { badOption } from "../errors.ts";
import { type DynamicInt8Options, dynamicPass } from "./dynamic-int8.ts";

export interface ZeroQuantOptions extends Omit<DynamicInt8Options, "activations" | "inputParts"> {
  /** Groups that the inputs of a layer are cut in; weights have a scale for each output and group, activations for each token and group. */
  readonly groups?: number;
}

const NAME = "quant/zero-quant";

/**
 * ZeroQuant without distillation: weights in 8 bits by groups, activations in 8 bits by token, at every run, so that no data
 * is needed; products of integers, by MatMulInteger. Everything else as `dynamicInt8`.
 *
 *     y_t = Σ_g s_tg · w_g · (xq_tg Wq_g)      s_tg = max |x_tg| / 127
 *
 * Source: arXiv:2206.01861, sections 3.1 and 3.2.
 *
 * @throws EspalierError `BAD_OPTION` for groups that are no whole number of 1 or more
 */
export const zeroQuant = ({ groups = 1, ...options }: ZeroQuantOptions = {}): Pass => {
  if (!Number.isInteger(groups) || groups < 1)
    throw badOption(NAME, `groups is ${groups}. Give a whole number of 1 or more.`);
  return dynamicPass(NAME, { ...options, activations: "token", inputParts: groups });
};

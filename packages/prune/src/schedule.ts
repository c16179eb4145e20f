import { badOption } from "./errors.ts";

export interface CubicOptions {
  /** Sparsity at the start. */
  readonly initial?: number;
  /** Sparsity at the end. */
  readonly final: number;
  /** The step at which pruning begins. */
  readonly start?: number;
  /** How many times the masks are refreshed. */
  readonly refreshes: number;
  /** Steps from one refresh to the next. */
  readonly interval?: number;
}

/**
 * The sparsity of each step of gradual pruning: fast at first, slow near the end, constant between refreshes.
 *
 *     s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n Δt))³
 *
 * @throws EspalierError `BAD_OPTION` for numbers out of range. Source: arXiv:1710.01878, eq. 1.
 */
export const cubicSchedule = ({
  initial = 0,
  final,
  start = 0,
  refreshes,
  interval = 1,
}: CubicOptions): ((step: number) => number) => {
  const where = "prune/schedule";
  if (!(initial >= 0 && initial <= final && final < 1))
    throw badOption(where, `sparsity goes from ${initial} to ${final}. Give 0 <= initial <= final < 1.`);
  if (!(Number.isInteger(refreshes) && refreshes >= 1 && interval >= 1))
    throw badOption(where, `${refreshes} refreshes every ${interval} steps. Give whole numbers of 1 or more.`);
  return (step) => {
    const done = Math.min(Math.max(Math.floor((step - start) / interval), 0), refreshes);
    return final + (initial - final) * (1 - done / refreshes) ** 3;
  };
};

import { createRng } from "./numeric/rng.ts";
import type { Context } from "./pass.ts";

export type ContextOptions = Partial<Omit<Context, "rng">>;

/** A context for passes; what is not given is left out, `progress` and `report` do nothing, and the seed is 0. */
export const createContext = ({
  seed = 0,
  progress = () => undefined,
  report = () => undefined,
  ...given
}: ContextOptions = {}): Context => ({ ...given, seed, rng: createRng(seed), progress, report });

import type { Context, Model, Selection } from "@espalier/core";
import { rtn } from "./rtn.ts";

export interface RestOptions extends Selection {
  readonly portable: boolean;
  readonly embeddings: boolean;
}

/** The model with the layers that are still float stored in 8 bits, as `rtn` does, reported under a pass's name. */
export const restInEightBits = async (
  model: Model,
  ctx: Context,
  pass: string,
  { portable, embeddings, skip, only }: RestOptions,
): Promise<Model> => {
  const report: Context["report"] = (entry) => ctx.report({ ...entry, pass });
  const rest = rtn({ portable, embeddings: embeddings ? "auto" : "float", skip, only });
  return rest.apply(model, { ...ctx, report }, new Map());
};

import { badOption } from "../errors.ts";

/** How ranks are chosen: one of these, or `ratio: 0.2`. */
export interface RankOptions {
  /** Share of the parameters to remove from each factored layer: more than 0, less than 1. */
  readonly ratio?: number;
  /** The same rank for every layer. */
  readonly rank?: number;
  /** Share of the squared singular values, in the method's metric, to keep in each layer: at most 1. */
  readonly energy?: number;
  /**
   * Share of the parameters to remove from all the layers together; ranks are given where they lower the error most,
   * and layers may be left whole.
   */
  readonly budget?: number;
}

export type RankRule =
  | { readonly kind: "ratio" | "energy" | "budget"; readonly share: number }
  | { readonly kind: "rank"; readonly rank: number };

const KINDS = ["ratio", "rank", "energy", "budget"] as const;
const USUAL: RankRule = { kind: "ratio", share: 0.2 };

/** The rule that options ask for. @throws EspalierError `BAD_OPTION` for two rules and for numbers out of range */
export const rankRule = (where: string, options: RankOptions): RankRule => {
  const given = KINDS.filter((kind) => options[kind] !== undefined);
  if (given.length === 0) return USUAL;
  if (given.length > 1)
    throw badOption(where, `${given.join(" and ")} each choose the ranks. Give one of ${KINDS.join(", ")}.`);
  const [kind] = given;
  const value = options[kind]!;
  if (kind === "rank") {
    if (!Number.isInteger(value) || value < 1)
      throw badOption(where, `rank is ${value}. Give a whole number of 1 or more.`);
    return { kind, rank: value };
  }
  const most = kind === "energy" ? value <= 1 : value < 1;
  if (!(value > 0 && most))
    throw badOption(
      where,
      `${kind} is ${value}. Give a share above 0 and ${kind === "energy" ? "at most" : "below"} 1.`,
    );
  return { kind, share: value };
};

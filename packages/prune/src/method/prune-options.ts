import type { Layer, Selection } from "@espalier/core";
import { badOption } from "../errors.ts";
import { type Block, parseBlock } from "../pattern/block.ts";
import { type Pattern, parsePattern } from "../pattern/pattern.ts";

export interface PruneOptions extends Selection {
  /** Share of the weights to set to zero: from 0 to less than 1. */
  readonly sparsity?: number;
  /**
   * "N:M": at most N weights of each M along the inputs stay, whatever `sparsity` says. "4x4", "1x8": blocks of so many
   * outputs by so many inputs stay or go as one (`magnitude` and `wanda`).
   */
  readonly pattern?: string;
  /** Sparsity of each layer: the same, or what a function says. */
  readonly ratios?: "uniform" | ((layer: Layer) => number);
  /** Prune tables of embeddings too. */
  readonly embeddings?: boolean;
}

/** How many weights go, and among which they are compared. */
export interface Rule {
  readonly sparsity: number;
  readonly pattern: Pattern | undefined;
  readonly block?: Block;
  readonly scope: "layer" | "row" | "global";
}

export const checkSparsity = (where: string, sparsity: number, what = "sparsity"): number => {
  if (!(sparsity >= 0 && sparsity < 1))
    throw badOption(where, `${what} is ${sparsity}. Give a share from 0 to less than 1; 1 would empty the layers.`);
  return sparsity;
};

/** @throws EspalierError `BAD_OPTION` for options out of range, and for two that say how many weights go */
export const ruleOf = (
  where: string,
  { sparsity, pattern }: Pick<PruneOptions, "sparsity" | "pattern">,
  scope: Rule["scope"],
  usual = 1 / 2,
  blocks = false,
): Rule => {
  const block = blocks && pattern !== undefined ? parseBlock(where, pattern) : undefined;
  if (block && scope === "global")
    throw badOption(where, `blocks of different layers are not compared. Choose scope "layer" or "row".`);
  if (block) return { sparsity: checkSparsity(where, sparsity ?? usual), pattern: undefined, block, scope };
  if (pattern === undefined) return { sparsity: checkSparsity(where, sparsity ?? usual), pattern: undefined, scope };
  if (sparsity !== undefined)
    throw badOption(where, `sparsity and pattern each say how many weights go. Give one of them.`);
  const found = parsePattern(where, pattern);
  return { sparsity: 1 - found.keep / found.of, pattern: found, scope: "row" };
};

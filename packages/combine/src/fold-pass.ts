import { definePass, fold, type Model, type Pass } from "@espalier/core";

const NAME = "core/fold";

const nodesOf = ({ graph }: Model) => graph.nodes.length;

/** `fold` of core as a pass. */
const foldPass: Pass = definePass({
  name: NAME,
  stage: "structure",
  async apply(model, { report }) {
    const folded = await fold(model);
    const gone = nodesOf(model) - nodesOf(folded);
    if (folded !== model)
      report({ pass: NAME, layer: "", action: "note", reason: `${gone} nodes were computed beforehand or merged` });
    return folded;
  },
});

/**
 * The passes with `fold` before the first, or behind the last that trains, which would need what it takes away: what they
 * look for is there as weights then.
 */
export const withFold = (passes: readonly Pass[]): readonly Pass[] => {
  const at = passes.findLastIndex(({ stage }) => stage === "train") + 1;
  return at === passes.length ? passes : [...passes.slice(0, at), foldPass, ...passes.slice(at)];
};

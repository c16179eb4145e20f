import { definePass, fold, type Model, type Pass, stages } from "@espalier/core";

const NAME = "core/fold";

const nodesOf = ({ graph }: Model) => graph.nodes.length;

/** `fold` of core as a pass. */
const foldPass: Pass = definePass({
  name: NAME,
  stage: "prepare",
  async apply(model, { report }) {
    const folded = await fold(model);
    const gone = nodesOf(model) - nodesOf(folded);
    if (folded !== model)
      report({ pass: NAME, layer: "", action: "note", reason: `${gone} nodes were computed beforehand or merged` });
    return folded;
  },
});

/** The passes with `fold` before the first that quantizes: after training, which would need what it takes away. */
export const withFold = (passes: readonly Pass[]): readonly Pass[] => {
  const at = passes.findIndex(({ stage }) => stages.indexOf(stage) >= stages.indexOf("quantize"));
  return at < 0 ? passes : [...passes.slice(0, at), foldPass, ...passes.slice(at)];
};

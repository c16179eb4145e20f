import { type Context, type Model, normObserver, observe, segments } from "@espalier/core";
import type { Planned } from "../method/plan.ts";
import { weightsOf } from "../score/score.ts";
import { wandaScore } from "../score/wanda.ts";
import { outlierShare, owlRatios } from "./owl.ts";

/**
 * The sparsity of each planned layer, by name, from the outliers of the segment that it stands in. Runs the calibration
 * data through the model once.
 */
export const owlSparsities = async (
  model: Model,
  ctx: Context,
  plan: readonly Planned[],
  sparsity: number,
): Promise<ReadonlyMap<string, number>> => {
  const planned = new Map(plan.map((item) => [item.layer.name, item]));
  const stats = await observe(model, normObserver({ only: ({ name }) => planned.has(name) }), ctx);
  const blocks: { names: string[]; outliers: number; size: number }[] = [];
  for (const { layers: own } of segments(model)) {
    const block = { names: [] as string[], outliers: 0, size: 0 };
    for (const { name } of own) {
      const [item, norms] = [planned.get(name), stats.get(name)];
      if (!item || !norms || norms.n === 0) continue;
      const { layer, view } = item;
      const w = view.toRows(await layer.weight.read());
      block.names.push(name);
      block.outliers += w.length * outlierShare(wandaScore(weightsOf(layer, view, w, norms)));
      block.size += w.length;
    }
    if (block.size > 0) blocks.push(block);
  }
  const ratios = owlRatios(
    blocks.map(({ outliers, size }) => ({ outliers: outliers / size, size })),
    sparsity,
  );
  return new Map(blocks.flatMap(({ names }, i) => names.map((name) => [name, ratios[i]] as const)));
};

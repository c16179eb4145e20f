import { floatValues, type Layer, type Tensor } from "@espalier/core";
import { channelViewOf, gatherChannels } from "../export/channel-view.ts";
import { type FixedWeight, fixedWeight, leastSteps } from "../export/fixed.ts";
import type { Names } from "../export/piece.ts";
import { isFiniteGrid } from "../grid/grid.ts";
import { withLeastScales } from "../grid/least-scales.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";

/** A bias that is added to the sums of a layer, and the step of the layer's input there. */
interface Added {
  readonly bias: Tensor | undefined;
  readonly step: number;
}

/** The weight of a layer in int8, with steps large enough for its biases; undefined where it is not all finite. */
export const staticWeight = async (
  layer: Layer,
  added: readonly Added[],
  { perChannel, portable }: { readonly perChannel: boolean; readonly portable: boolean },
  fresh: Names,
): Promise<FixedWeight | undefined> => {
  const { tensor, name } = layer.weight;
  const view = channelViewOf(layer);
  const w = gatherChannels(await floatValues(tensor), view);
  const [rows, columns] = perChannel ? [view.channels, w.length / view.channels] : [1, w.length];
  let grid = quantizeRows(w, rows, columns, { bits: portable ? 7 : 8, range: "narrow" });
  if (!isFiniteGrid(grid)) return undefined;
  for (const { bias, step } of added) {
    if (!bias) continue;
    const least = leastSteps(await floatValues(bias), step);
    grid = withLeastScales(w, grid, perChannel ? least : Float32Array.of(Math.max(...least)));
  }
  return fixedWeight(name, tensor.dims, grid, view, fresh);
};

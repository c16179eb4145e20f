import type { LayerFidelity } from "@espalier/core";

/**
 * Inner values whose error is larger than that of all before them; of many, the largest steps. In the graph's order.
 *
 * @param layers in the graph's order
 */
export const whereErrorGrows = (layers: readonly LayerFidelity[], shown: number): LayerFidelity[] => {
  let most = 0;
  const steps: { at: number; step: number; layer: LayerFidelity }[] = [];
  for (const [at, layer] of layers.entries()) {
    if (layer.relativeL2 <= most) continue;
    steps.push({ at, step: layer.relativeL2 - most, layer });
    most = layer.relativeL2;
  }
  const largest = steps.sort((a, b) => b.step - a.step || a.at - b.at).slice(0, shown);
  return largest.sort((a, b) => a.at - b.at).map(({ layer }) => layer);
};

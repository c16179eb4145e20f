import { definePass, type NormStats, type Pass, type Selection, unselected } from "@espalier/core";
import { badOption } from "../errors.ts";
import { foldScales, type ScaledPlace } from "../prepare/fold-scales.ts";
import { type ScalePlace, scalePlaces } from "../prepare/scale-places.ts";
import { placeNorms } from "./observed-places.ts";
import { rowValues } from "./weight-fit.ts";

export interface SmoothQuantOptions extends Selection {
  /** How much of the difficulty goes from activations to weights: 0 to 1. */
  readonly alpha?: number;
  /** Where a value has other readers, as in post-norm transformers, they get it back by a product; otherwise it is left alone. */
  readonly insert?: boolean;
}

const NAME = "quant/smooth-quant";
const LEAST = 1e-5;

/** s = max|x|^alpha / max|w|^(1 - alpha) of each channel, the weights of all layers that meet it together. */
const scalesOf = async ({ layers, width }: ScalePlace, { largest }: NormStats, alpha: number) => {
  const most = new Float64Array(width);
  for (const layer of layers) {
    const rows = await rowValues(layer);
    for (let i = 0; i < rows.length; i++) most[i % width] = Math.max(most[i % width]!, Math.abs(rows[i]!));
  }
  return Float32Array.from(most, (weight, j) =>
    Math.max(LEAST, Math.max(LEAST, largest[j]!) ** alpha / Math.max(LEAST, weight) ** (1 - alpha)),
  );
};

/**
 * SmoothQuant: channels of activations are divided by a scale where they are made, and the weights that meet them
 * multiplied, so that both fit 8 bits. The same function; a pass that quantizes activations follows.
 *
 *     s_j = max|X_j|^alpha / max|W_j|^(1 - alpha)      (X diag(s)⁻¹)(diag(s) W) = X W
 *
 * Source: arXiv:2211.10438, eq. 4.
 *
 * @throws EspalierError `BAD_OPTION` for alpha out of range, `MISSING_NEED`
 */
export const smoothQuant = ({ alpha = 0.5, insert = true, skip, only }: SmoothQuantOptions = {}): Pass => {
  if (!(alpha >= 0 && alpha <= 1)) throw badOption(NAME, `alpha is ${alpha}. Give a share from 0 to 1.`);
  return definePass({
    name: NAME,
    stage: "prepare",
    traits: { needs: ["calibration", "ort"] },
    async apply(model, ctx) {
      const reasonOf = unselected({ skip, only });
      const places = scalePlaces(model).filter(
        ({ layers, others }) =>
          (insert || others.length === 0) && layers.every((layer) => reasonOf(layer) === undefined),
      );
      const norms = await placeNorms(model, ctx, places);
      const scaled: ScaledPlace[] = [];
      for (const [place, own] of norms) {
        scaled.push({ place, scales: await scalesOf(place, own, alpha) });
        for (const layer of place.layers)
          ctx.report({ pass: NAME, layer: layer.name, action: "note", reason: `inputs smoothed, alpha ${alpha}` });
      }
      return foldScales(model, scaled);
    },
  });
};

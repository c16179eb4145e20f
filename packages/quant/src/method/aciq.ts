import { type Context, definePass, layers, type Model, type Pass, sizeOf, unselected } from "@espalier/core";
import { aciqRows } from "../grid/aciq-rows.ts";
import type { GridBits } from "../grid/grid.ts";
import { correctMoments } from "../grid/moments.ts";
import { bitAllocation } from "../range/aciq.ts";
import { rowValues, unfit } from "./weight-fit.ts";
import { type RtnOptions, weightPass } from "./weight-pass.ts";

export interface AciqOptions extends Omit<RtnOptions, "clip" | "rounding"> {
  /** The mean and the norm of each block are made those of its weights, which takes float zero points. */
  readonly correct?: boolean;
  /** `bits` is the mean of layers, which get more or fewer by the two thirds of their range. */
  readonly allocate?: boolean;
}

const NAME = "quant/aciq";

const largest = (w: Float32Array): number => w.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Names of layers by the bits that their ranges give them, widest first. */
const byRange = async (model: Model, { bits = 4, skip, only }: AciqOptions) => {
  const reasonOf = unselected({ skip, only });
  const chosen = layers(model).filter((layer) => reasonOf(layer) === undefined && unfit(layer) === undefined);
  const ranges: number[] = [];
  for (const layer of chosen) ranges.push(largest(await rowValues(layer)) * (sizeOf(layer.weight.dims) > 0 ? 1 : 0));
  const found = new Map<GridBits, Set<string>>();
  for (const [at, width] of bitAllocation(ranges, bits).entries()) {
    const own = found.get(width as GridBits) ?? new Set<string>();
    found.set(width as GridBits, own.add(chosen[at]!.name));
  }
  return [...found].sort(([a], [b]) => b - a);
};

/**
 * ACIQ of weights: no data. Ranges are clipped where a formula of each block's moments says that clipping and rounding
 * together lose least, with the published correction of mean and norm (`correct`) and allocation of bits (`allocate`, to
 * layers). Options, forms and what is left alone are those of `rtn`. Activations: `staticInt8({ calibrator: "aciq" })`.
 * Source: arXiv:1810.05723.
 */
export const aciq = ({ correct = true, allocate = false, bits = 4, ...options }: AciqOptions = {}): Pass => {
  const symmetric = options.symmetric ?? !correct;
  const corrects = correct && !symmetric;
  const zeroPoint = options.zeroPoint ?? (corrects ? "float" : "integer");
  const passOf = (own: RtnOptions): Pass =>
    weightPass({
      name: NAME,
      options: { ...options, symmetric, zeroPoint, ...own },
      round:
        () =>
        (w, { rows, columns }, grid) => {
          const made = aciqRows(w, rows, columns, grid);
          const floats = grid.symmetric === false && grid.zeroPoint === "float";
          return corrects && floats ? correctMoments(w, made, grid.scaleType) : made;
        },
    });
  if (!allocate) return passOf({ bits });
  return definePass({
    name: NAME,
    stage: "quantize",
    async apply(original, ctx: Context) {
      let model = original;
      const none = new Map<string, never>();
      const groups = await byRange(original, { bits, ...options });
      for (const [width, names] of groups) {
        const report: Context["report"] = (entry) => names.has(entry.layer) && ctx.report(entry);
        const pass = passOf({ bits: width as NonNullable<RtnOptions["bits"]>, only: ({ name }) => names.has(name) });
        model = await pass.apply(model, { ...ctx, report }, none);
      }
      return model;
    },
  });
};

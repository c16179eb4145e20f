import { type Context, definePass, gramOf, type Layer, type Model, type Pass, unselected } from "@espalier/core";
import type { GridOptions } from "../grid/grid.ts";
import { foldScales, type ScaledPlace } from "../prepare/fold-scales.ts";
import { scalePlaces } from "../prepare/scale-places.ts";
import { type AwqWeight, chooseAwqScales } from "../solve/awq-scales.ts";
import { eachPlace } from "./observed-places.ts";
import { rowValues } from "./weight-fit.ts";
import { type RtnOptions, weightPass } from "./weight-pass.ts";

export interface AwqOptions extends RtnOptions {
  /** Only scale, and leave rounding to the pass that follows, `gptq` for one, with the same bits and blocks. */
  readonly scaleOnly?: boolean;
}

const NAME = "quant/awq";

/** The grids that the layers of a model would get, by name. */
const plannedGrids = async (
  model: Model,
  ctx: Context,
  options: RtnOptions,
): Promise<ReadonlyMap<string, GridOptions>> => {
  const found = new Map<string, GridOptions>();
  // a rule that finds nothing: only the plan is asked for
  const plan = weightPass({
    name: NAME,
    options,
    round(_, __, grids) {
      for (const [layer, grid] of grids) found.set(layer.name, grid);
      return () => undefined;
    },
  });
  await plan.apply(model, { ...ctx, report: () => undefined, progress: () => undefined }, new Map());
  return found;
};

/** The model with the channels scaled that AWQ's search scales. */
const scaled = async (model: Model, ctx: Context, options: RtnOptions): Promise<Model> => {
  const grids = await plannedGrids(model, ctx, options);
  const reasonOf = unselected(options);
  const wanted = (layer: Layer) => reasonOf(layer) === undefined && grids.has(layer.name);
  const places = scalePlaces(model).filter(({ layers, others }) => others.length === 0 && layers.every(wanted));
  const chosen: ScaledPlace[] = [];
  let done = 0;
  ctx.progress({ kind: "start", task: `${NAME}: scales`, total: places.length });
  await eachPlace(model, ctx, places, async (place, { norms, gram }) => {
    const H = gramOf(gram);
    const data = H.data.map((value) => value / gram.n);
    const weights: AwqWeight[] = [];
    for (const layer of place.layers) weights.push({ rows: await rowValues(layer), grid: grids.get(layer.name)! });
    const sizes = norms.absolutes.map((sum) => sum / norms.n);
    const { exponent, scales, error, plain } = chooseAwqScales(weights, sizes, { ...H, data }, ctx.kernels);
    ctx.progress({ kind: "step", task: `${NAME}: scales`, done: ++done, total: places.length, note: place.value });
    if (exponent === 0) return;
    chosen.push({ place, scales });
    const share = (error / plain).toPrecision(2);
    for (const layer of place.layers)
      ctx.report({
        pass: NAME,
        layer: layer.name,
        action: "note",
        reason: `inputs scaled by their size to the ${exponent}: ${share} of the output error`,
      });
  });
  ctx.progress({ kind: "end", task: `${NAME}: scales` });
  return foldScales(model, chosen);
};

/**
 * Activation-aware weight quantization: channels that meet large inputs are scaled up before weights are rounded, and what
 * makes them is scaled down, where that is exact: normalizations and linear layers before, also through Relu and the
 * product of a gated block. The exponent of each value is searched for by the output error of the layers that meet it,
 * and may be 0; then the range of each block is, weighed by the inputs (`clip: "imatrix"`). Forms and plans are those of
 * `rtn`. Source: arXiv:2306.00978.
 *
 * @throws EspalierError `MISSING_NEED`, `UNSUPPORTED` as `rtn`
 */
export const awq = ({ scaleOnly = false, clip = "imatrix", bits = 4, ...options }: AwqOptions = {}): Pass => {
  const all: RtnOptions = { bits, clip, ...options };
  const rounding = weightPass({ name: NAME, options: all });
  return definePass({
    name: NAME,
    stage: scaleOnly ? "prepare" : "quantize",
    traits: { needs: ["calibration", "ort"] },
    async apply(model, ctx) {
      const made = await scaled(model, ctx, all);
      return scaleOnly ? made : rounding.apply(made, ctx, new Map());
    },
  });
};

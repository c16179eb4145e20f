import {
  type Context,
  type GramStats,
  gramObserver,
  gramOf,
  inputRowsOf,
  type Layer,
  type Model,
  type Pass,
} from "@espalier/core";
import { badOption } from "../errors.ts";
import type { GridOptions } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { byRowParts } from "../grid/row-parts.ts";
import { type GptqInput, type GptqSolveOptions, gptqInput, gptqRows } from "../solve/gptq.ts";
import { calibratedRound } from "./calibrated-round.ts";
import { type RtnOptions, weightPass } from "./weight-pass.ts";
import type { Round } from "./weight-pieces.ts";

interface SolveOptions extends Omit<GptqSolveOptions, "kernels"> {
  /** Calibrate each segment of the model on what the quantized ones before it give; otherwise all on the model as it is. */
  readonly sequential?: boolean;
}

export interface GptqOptions extends Omit<RtnOptions, "rounding">, SolveOptions {}

const NAME = "quant/gptq";

/** Gram matrices of a layer, factored once for each group, and for all layers that meet the same input. */
const factored = (options: GptqSolveOptions) => {
  const known = new WeakMap<GramStats, Map<number, GptqInput>>();
  return (stats: GramStats, group: number): GptqInput => {
    const own = known.get(stats) ?? new Map<number, GptqInput>();
    const gram = own.has(group) ? undefined : gramOf(stats, group);
    if (gram) {
      for (let i = 0; i < gram.data.length; i++) gram.data[i]! /= stats.n;
      own.set(group, gptqInput(gram, options));
    }
    known.set(stats, own);
    return own.get(group)!;
  };
};

const DOUBLE = 8;

/** Bytes of a layer's Gram matrices. */
const gramBytes = (layer: Layer): number => {
  const rows = inputRowsOf(layer);
  return typeof rows === "string" ? 0 : (DOUBLE * rows.groups * rows.columns * (rows.columns + 1)) / 2;
};

/** GPTQ as a rule of rounding. */
const gptqRound = (
  model: Model,
  ctx: Context,
  grids: ReadonlyMap<Layer, GridOptions>,
  { sequential = true, ...options }: SolveOptions,
): Promise<Round> => {
  const solving = { ...options, kernels: ctx.kernels };
  const inputOf = factored(solving);
  return calibratedRound<GramStats>(model, ctx, grids, {
    name: NAME,
    sequential,
    observer: (only) => gramObserver({ only }),
    bytes: gramBytes,
    round(w, shape, grid, layer, stats) {
      const note = (reason: string) => {
        ctx.report({ pass: NAME, layer: layer.name, action: "note", reason: `rounded to nearest: ${reason}` });
        return quantizeRows(w, shape.rows, shape.columns, grid);
      };
      if (!w.every(Number.isFinite)) return undefined;
      if (!stats || stats.n === 0) return note("its input was not observed");
      if (stats.columns !== shape.columns) return note("its columns meet their inputs one kernel position at a time");
      if (!stats.gram.every(Number.isFinite)) return note("its input is not finite");
      return byRowParts(w, shape, stats.groups, (part, rows, group) =>
        gptqRows(part, rows, inputOf(stats, group), grid, solving),
      );
    },
  });
};

/**
 * Weights-only quantization in which each column's rounding error is made up for by the columns that follow, by the
 * second moments of the layer's input; then codes, scales and zero points are moved to where the error is less.
 *
 *     error of an output = (w - ŵ) H (w - ŵ)ᵀ      H = XᵀX / n
 *
 * Columns go by falling importance (`activationOrder`), on scales that a search chooses beforehand, each weight's error
 * weighed by its input (`clip: "mse"`). Guarantee: no output of a layer is further off on the calibration data, as the
 * layer meets it, than by rounding to nearest with the same options, but for `clip`. Forms and plans are those of `rtn`;
 * layers without an input to observe are rounded to nearest, with a note. Memory: Gram matrices of one segment, of
 * groups of layers of 256 MB where `sequential` is false; a byte a weight.
 *
 * Source: arXiv:2210.17323; moving codes: arXiv:2309.01885.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, `MISSING_NEED`, `UNSUPPORTED` as `rtn`
 */
export const gptq = ({
  damp = 0.01,
  activationOrder = true,
  staticGroups = true,
  sweepBlock = 128,
  refine = 2,
  sequential = true,
  clip = "mse",
  ...options
}: GptqOptions = {}): Pass => {
  if (!(damp >= 0 && damp <= 1)) throw badOption(NAME, `damp is ${damp}. Give a share from 0 to 1.`);
  if (!Number.isInteger(sweepBlock) || sweepBlock < 1)
    throw badOption(NAME, `sweepBlock is ${sweepBlock}. Give a whole number of 1 or more.`);
  if (!Number.isInteger(refine) || refine < 0)
    throw badOption(NAME, `refine is ${refine}. Give a whole number of 0 or more.`);
  if (activationOrder && !staticGroups)
    throw badOption(
      NAME,
      "activationOrder needs staticGroups: no form stores which block a column belongs to. Leave one out.",
    );
  return weightPass({
    name: NAME,
    traits: { needs: ["calibration", "ort"] },
    options: { ...options, clip },
    round: (model, ctx, grids) =>
      gptqRound(model, ctx, grids, { damp, activationOrder, staticGroups, sweepBlock, refine, sequential }),
  });
};

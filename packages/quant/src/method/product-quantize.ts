import {
  type Context,
  definePass,
  eachSegment,
  type GramStats,
  gramObserver,
  gramOf,
  type Layer,
  type Model,
  type Pass,
} from "@espalier/core";
import { channelViewOf } from "../export/channel-view.ts";
import { decodePalette, paletteShape } from "../export/decode-palette.ts";
import { freshNames } from "../export/piece.ts";
import { halfIsSmaller } from "../export/scales.ts";
import { sharedTables } from "../export/tables.ts";
import { allFinite } from "../grid/all-finite.ts";
import { depalettize, type Palette } from "../grid/palette.ts";
import { blockGram, productPalette } from "../grid/product-palette.ts";
import { runtimesOf } from "../support.ts";
import { type ChosenLayers, chosenLayers, type Planned } from "./chosen-layers.ts";
import { putPieces } from "./put-pieces.ts";
import { IN_FLOAT } from "./value-pass.ts";
import { rowsOf, rowTensor, rowValues } from "./weight-fit.ts";

export interface ProductQuantizeOptions extends ChosenLayers {
  /**
   * Columns of a subvector. `auto`: the elements of a kernel of more than one (9 of 3 × 3), else 4. Where a layer's columns
   * are not a multiple, the largest divisor below it.
   */
  readonly width?: "auto" | number;
  /** Bits of a code: 2^bits codewords a layer. */
  readonly bits?: 4 | 5 | 6 | 7 | 8;
  /** Steps of expectation maximization at most. */
  readonly steps?: number;
}

const NAME = "quant/product-quantize";
/** Subvectors of fully connected layers and pointwise convolutions. Source: arXiv:1907.05686, section 4.1. */
const USUAL_WIDTH = 4;

interface ProductPlan {
  readonly width: number;
}

const planOf = (layer: Layer, bits: number, asked: "auto" | number): Planned<ProductPlan> => {
  const [rows, columns] = rowsOf(layer);
  const kernel = layer.kind === "conv" ? layer.weight.dims.slice(2).reduce((a, b) => a * b, 1) : 1;
  let width = asked !== "auto" ? asked : kernel > 1 ? kernel : USUAL_WIDTH;
  while (width > 1 && columns % width !== 0) width--;
  if (width < 2) return { reason: `${columns} columns have no subvectors of equal length` };
  const vectors = (rows * columns) / width;
  if (vectors <= 2 ** bits) return { reason: `its ${vectors} subvectors are no more than the codewords` };
  return paletteShape(rows, columns / width, bits)
    ? { width }
    : { reason: `${vectors} codes of ${bits} bits do not fill whole bytes` };
};

/** XᵀX of all blocks of all groups, where calibration gave one that is finite. */
const gramFor = (stats: GramStats | undefined, columns: number, width: number) => {
  if (!stats || stats.n === 0 || stats.columns !== columns || !stats.gram.every(Number.isFinite)) return undefined;
  const [first, ...others] = Array.from({ length: stats.groups }, (_, group) => blockGram(gramOf(stats, group), width));
  for (const other of others)
    other.data.forEach((value, i) => {
      first!.data[i]! += value;
    });
  return first;
};

/**
 * Product quantization: subvectors of the rows by the nearest of 2^bits codewords of their layer. With calibration data
 * the codewords are those of the least error of the output, and layers are treated in order, each on what the treated
 * ones before it give; without, those of the least squared error of the weights.
 *
 *     code = argmin_c |x (c - v)|²      c = mean of its v
 *
 * Source: "And the Bit Goes Down", arXiv:1907.05686, without its fine-tuning.
 */
export const productQuantize = ({ width = "auto", bits = 8, steps, ...options }: ProductQuantizeOptions = {}): Pass => {
  const apply = async (model: Model, ctx: Context): Promise<Model> => {
    const items = chosenLayers(NAME, model, ctx, options, (layer) => planOf(layer, bits, width));
    const made = new Map<string, Palette>();
    const make = async (layer: Layer, plan: ProductPlan, stats: GramStats | undefined) => {
      const [rows, columns] = rowsOf(layer);
      const w = await rowValues(layer);
      if (!allFinite(w)) return undefined;
      const palette = productPalette(w, rows, columns, {
        width: plan.width,
        bits,
        rng: ctx.rng.fork(layer.name),
        ...(steps !== undefined && { steps }),
        gram: gramFor(stats, columns, plan.width),
        half: halfIsSmaller(2 ** bits * plan.width, `${layer.weight.name}_c`),
      });
      made.set(layer.name, palette);
      return palette;
    };
    if (ctx.calibration && ctx.ort) {
      const plans = new Map([...items].map(([layer, plan]) => [layer.name, plan]));
      const wanted = new Set(plans.keys());
      const observer = (only: (layer: Layer) => boolean) => gramObserver({ only });
      await eachSegment<GramStats>(model, ctx, { where: NAME, wanted, observer }, async (layer, stats) => {
        const palette = await make(layer, plans.get(layer.name)!, stats);
        return palette && rowTensor(layer, depalettize(palette));
      });
    }
    const fresh = freshNames(model);
    const tables = sharedTables(fresh);
    return putPieces(model, ctx, {
      name: NAME,
      items,
      pieces: async (layer, plan) => {
        const palette = made.get(layer.name) ?? (await make(layer, plan, undefined));
        if (!palette) return "its weights are not all finite";
        const { name, tensor } = layer.weight;
        const weight = { name, dims: tensor.dims, type: tensor.type as "float32" | "float16" };
        return {
          form: `codewords ${bits} bits, ${plan.width} columns`,
          ...runtimesOf("decode", bits, layer.kind),
          note: IN_FLOAT,
          value: decodePalette(weight, palette, channelViewOf(layer), tables, fresh),
        };
      },
    });
  };
  return definePass({ name: NAME, stage: "quantize", apply });
};

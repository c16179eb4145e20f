import { type Context, definePass, type Layer, type Model, type Pass } from "@espalier/core";
import { channelViewOf } from "../export/channel-view.ts";
import { decodePalette, paletteShape } from "../export/decode-palette.ts";
import { freshNames } from "../export/piece.ts";
import { halfIsSmaller } from "../export/scales.ts";
import { sharedTables } from "../export/tables.ts";
import { allFinite } from "../grid/all-finite.ts";
import { paletteRows } from "../grid/palette.ts";
import { runtimesOf } from "../support.ts";
import { type ChosenLayers, chosenLayers, type Planned } from "./chosen-layers.ts";
import { putPieces } from "./put-pieces.ts";
import { IN_FLOAT } from "./value-pass.ts";
import { rowsOf, rowValues } from "./weight-fit.ts";

export interface PalettizeOptions extends ChosenLayers {
  /** Bits of a code: 2^bits values. */
  readonly bits?: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
  /** Output channels that share a codebook; all by default. */
  readonly groupSize?: number;
  /** Lloyd's algorithm, or the least squared error by dynamic programming, for layers of up to 2^25 / 2^bits weights. */
  readonly clustering?: "lloyd" | "exact";
}

const NAME = "quant/palettize";

interface PalettePlan {
  readonly groupSize: number;
}

const planOf = (layer: Layer, bits: number, asked: number | undefined): Planned<PalettePlan> => {
  const [rows, columns] = rowsOf(layer);
  if (!paletteShape(rows, columns, bits))
    return { reason: `${rows * columns} codes of ${bits} bits do not fill whole bytes` };
  // groups are of one size, as their codebooks are found by a reshape
  const groupSize = asked !== undefined && rows % asked === 0 ? asked : rows;
  return { groupSize };
};

/**
 * Weights by the nearest of 2^bits shared values, which k-means finds for each layer or group of output channels.
 *
 *     w ≈ codebook[code]      codebook by k-means++ and Lloyd's steps, or exact
 *
 * Codes are expanded by a gather when the model is loaded. Source: Deep Compression, arXiv:1510.00149, section 3,
 * without its retraining.
 */
export const palettize = ({ bits = 4, groupSize, clustering = "lloyd", ...options }: PalettizeOptions = {}): Pass => {
  const apply = (model: Model, ctx: Context): Promise<Model> => {
    const items = chosenLayers(NAME, model, ctx, options, (layer) => planOf(layer, bits, groupSize));
    const fresh = freshNames(model);
    const tables = sharedTables(fresh);
    return putPieces(model, ctx, {
      name: NAME,
      items,
      pieces: async (layer, plan) => {
        const [rows, columns] = rowsOf(layer);
        const { name, tensor } = layer.weight;
        const w = await rowValues(layer);
        if (!allFinite(w)) return "its weights are not all finite";
        const groups = rows / plan.groupSize;
        const palette = paletteRows(w, rows, columns, {
          bits,
          groupSize: plan.groupSize,
          half: halfIsSmaller(groups * 2 ** bits, `${name}_c`),
          clustering,
          rng: ctx.rng.fork(layer.name),
        });
        const weight = { name, dims: tensor.dims, type: tensor.type as "float32" | "float16" };
        return {
          form: `codebook ${bits} bits${groups > 1 ? `, ${plan.groupSize} channels` : ""}`,
          ...runtimesOf("decode", bits, layer.kind),
          note: IN_FLOAT,
          value: decodePalette(weight, palette, channelViewOf(layer), tables, fresh),
        };
      },
    });
  };
  return definePass({ name: NAME, stage: "quantize", apply });
};

import {
  type Context,
  checkAborted,
  definePass,
  fold,
  type Layer,
  type LayerFilter,
  type Model,
  type Pass,
  type Selection,
  storedBytes,
  type Tensor,
  upgradeOpset,
} from "@espalier/core";
import type { ActivationType, FixedWeight } from "../export/fixed.ts";
import { freshNames, pieceBytes } from "../export/piece.ts";
import { qdq } from "../export/qdq.ts";
import { qOperator } from "../export/qoperator.ts";
import { rewrite } from "../export/rewrite.ts";
import type { StaticForm } from "../export/static-form.ts";
import { type Calibrator, type Range, rangeOf } from "../range/calibrators.ts";
import { emptyRange, type RangeStats, updateRange } from "../range/histogram.ts";
import { runtimesOf } from "../support.ts";
import { partialFloat } from "./partial-float.ts";
import type { Place } from "./place.ts";
import { restInEightBits } from "./rest.ts";
import { type Grids, gridsOf, staticPieces } from "./static-pieces.ts";
import { type PlaceOptions, placesOf } from "./static-places.ts";
import { staticWeight } from "./static-weight.ts";
import { PER_AXIS_OPSET } from "./weight-fit.ts";

export interface StaticInt8Options extends Selection {
  /** `QDQ`: float operators between QuantizeLinear and DequantizeLinear. `QOperator`: integer operators. */
  readonly form?: "QDQ" | "QOperator";
  /** How the range of an activation is chosen from the calibration data. */
  readonly calibrator?: Calibrator;
  /** One scale for each output of a weight, or one for the whole. */
  readonly perChannel?: boolean;
  /** `int8` is for hardware that asks for it: processors are slower with it than in float32 (1.2 × on PP-OCRv4). */
  readonly activationType?: ActivationType;
  /**
   * Layers that are stored in 8 bits and computed in float: `auto` (depthwise and small ones), none, names, operators,
   * globs, a function; or `within`, the most sensitive ones, as many as it takes to keep the outputs on calibration data
   * within that relative L2 distance of the float model's, which builds and runs a model for each layer.
   */
  readonly float?: "auto" | "none" | LayerFilter | { readonly within: number };
  /** Weights of 7 bits: without VNNI, kernels for uint8 × int8 add pairs in 16 bits, which 8 bits overflow. */
  readonly portable?: boolean;
  /** Embedding tables: 8 bits with one scale a row, or left as they are. */
  readonly embeddings?: boolean;
}

const BITS = 8;
const NAME = "quant/static-int8";
const forms: Readonly<Record<"QDQ" | "QOperator", StaticForm>> = { QDQ: qdq, QOperator: qOperator };

/** The model whose layers are quantized: BatchNormalization folded, per-channel DequantizeLinear available. */
const prepared = (model: Model): Promise<Model> =>
  fold((model.opsets.get("") ?? 1) < PER_AXIS_OPSET ? upgradeOpset(model, PER_AXIS_OPSET) : model);

/** The values of a place whose ranges calibration must fix. */
const valuesOf = ({ node, last }: Place, form: StaticForm): readonly string[] =>
  form.gridded(node) ? [node.inputs[0]!, last.outputs[0]!] : [node.inputs[0]!];

/** The values of a main graph. */
const madeIn = ({ graph }: Model): ReadonlySet<string> =>
  new Set([...graph.inputs.map(({ name }) => name), ...graph.nodes.flatMap(({ outputs }) => outputs)]);

/** What calibration measured of values, and the ranges that it says they need, each found once. */
interface Measured {
  readonly seen: (value: string) => boolean;
  readonly rangeOf: (value: string) => Range;
}

const measuredBy = (stats: ReadonlyMap<string, RangeStats>, calibrator: Calibrator): Measured => {
  const found = new Map<string, Range>();
  return {
    seen: (value) => (stats.get(value)?.count ?? 0) > 0,
    rangeOf(value) {
      const range = found.get(value) ?? rangeOf(stats.get(value)!, calibrator);
      found.set(value, range);
      return range;
    },
  };
};

/**
 * Static quantization: convolutions and linear layers on integers, with activation ranges fixed from calibration data.
 * BatchNormalization is folded first, a Relu or Clip belongs to the range of the layer before it, biases are int32 on
 * the grid of the sums. What stays float is stored in 8 bits.
 *
 *     x ≈ (xq - zx) * sx   one range a value      W ≈ Wq * sw   int8, one scale an output      b ≈ bq * sx * sw
 *
 * Masks (from 65504 on) stay out of the ranges. Sources: arXiv:1712.05877; arXiv:2004.09602.
 */
export const staticInt8 = ({
  form: formName = "QDQ",
  calibrator = "mse",
  perChannel = true,
  activationType = "uint8",
  float = "auto",
  portable = false,
  embeddings = true,
  skip,
  only,
}: StaticInt8Options = {}): Pass<RangeStats> => {
  const form = forms[formName];
  const within = typeof float === "object" && "within" in float ? float.within : undefined;
  const chosen: PlaceOptions = { skip, only, float: typeof float === "object" && "within" in float ? "none" : float };

  /** The places that calibration has ranges for, with their weights on integers; the others are reported. */
  const placed = async (model: Model, ctx: Context, measured: Measured, grids: Grids, options: PlaceOptions) => {
    const { places, refused } = await placesOf(model, options);
    const weights = new Map<Layer, FixedWeight>();
    const reasons = new Map(refused);
    for (const layer of new Set(places.map((place) => place.layer))) {
      checkAborted(NAME, ctx.signal);
      const own = places.filter((place) => place.layer === layer);
      const missing = own.flatMap((place) => valuesOf(place, form)).find((name) => !measured.seen(name));
      if (missing !== undefined) reasons.set(layer, `no calibration data reached "${missing}"`);
      else {
        const biases = own.map(({ bias, node }) => ({ bias, step: grids.of(node.inputs[0]!).step }));
        const weight = await staticWeight(layer, biases, { perChannel, portable }, grids.fresh);
        if (weight) weights.set(layer, weight);
        else reasons.set(layer, "its weights are not all finite");
      }
    }
    for (const [layer, reason] of reasons)
      ctx.report({ pass: NAME, layer: layer.name, action: "note", reason: `only stored in 8 bits: ${reason}` });
    return { weights, places: places.filter(({ layer }) => weights.has(layer)) };
  };

  const quantized = async (model: Model, ctx: Context, measured: Measured, options: PlaceOptions): Promise<Model> => {
    const fresh = freshNames(model);
    const grids = gridsOf(measured.rangeOf, activationType, fresh);
    const { weights, places } = await placed(model, ctx, measured, grids, options);
    for (const [layer, { constants }] of weights)
      ctx.report({
        pass: NAME,
        layer: layer.name,
        action: "changed",
        ...runtimesOf("staticInt8", BITS, layer.kind),
        form: `${form.label(layer.node)} ${activationType} × int8 ${perChannel ? "per channel" : "per tensor"}`,
        bytesBefore: storedBytes(layer.weight.tensor),
        bytesAfter: pieceBytes({ nodes: [], weights: constants }),
      });
    const integers = rewrite(model, await staticPieces(model, places, weights, form, grids));
    return restInEightBits(integers, ctx, NAME, { portable, embeddings, skip, only });
  };

  /** The most sensitive layers, as many as must stay float. */
  const sensitive = async (model: Model, ctx: Context, measured: Measured, most: number) => {
    const { places } = await placesOf(model, chosen);
    const quiet = { ...ctx, report: () => undefined, progress: () => undefined };
    return partialFloat(
      model,
      {
        layers: [...new Set(places.map(({ layer }) => layer.name))],
        within: most,
        build: (names) => quantized(model, quiet, measured, { ...chosen, float: ({ name }) => names.has(name) }),
      },
      ctx,
      NAME,
    );
  };

  return definePass({
    name: NAME,
    stage: "quantize",
    traits: { needs: ["calibration", "ort"] },
    observe: {
      async values(model) {
        const { places } = await placesOf(await prepared(model), chosen);
        const made = madeIn(model);
        return [...new Set(places.flatMap((place) => valuesOf(place, form)))].filter((name) => made.has(name));
      },
      init: emptyRange,
      update(stats: RangeStats, x: Tensor) {
        if (x.type === "float32") updateRange(stats, x.data as Float32Array);
      },
    },
    async apply(original, ctx, stats) {
      const model = await prepared(original);
      const measured = measuredBy(stats, calibrator);
      const kept = within === undefined ? undefined : await sensitive(model, ctx, measured, within);
      const options = kept ? { ...chosen, float: ({ name }: Layer) => kept.has(name) } : chosen;
      const result = await quantized(model, ctx, measured, options);
      return result === model ? original : result;
    },
  });
};

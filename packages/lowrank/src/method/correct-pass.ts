import {
  attrs,
  type Context,
  chain,
  checkAborted,
  definePass,
  type Layer,
  type LayerObserver,
  type LayerWeight,
  layers,
  type Model,
  type Pass,
  replaceWeights,
  type Selection,
  type Tensor,
  unselected,
} from "@espalier/core";
import { type Matrix, matrix } from "@espalier/core/linalg";
import { badOption } from "../errors.ts";
import type { Factors } from "../factor/factors.ts";
import { type Metric, weightedSvd } from "../factor/weighted-svd.ts";
import { probe } from "../graph/probe.ts";
import { type FactorStorage, putCorrections } from "../graph/put-corrections.ts";
import { shapeOf } from "../graph/shape.ts";

export interface CorrectOptions extends Selection {
  /** The pass that quantizes, or rounds, or prunes: its error is what is corrected. */
  readonly quantize?: Pass;
  readonly rank?: number;
  /** How the factors are stored. */
  readonly storage?: FactorStorage;
}

export interface CorrectMethod<Stats> {
  readonly name: string;
  readonly observe?: LayerObserver<Stats>;
  readonly rounds: number;
  /** What the quantizer gets first: the weight, or the weight less its own best factors. */
  readonly start?: "zero" | "svd";
  /** The metric of the error of a layer, or the reason why it is left as the quantizer leaves it. */
  metric(layer: Layer, stats: Stats | undefined): Metric | string;
}

interface Corrected {
  readonly layer: Layer;
  readonly metric: Metric;
  readonly w: Matrix;
  /** W less the correction that was quantized in the best round, as a tensor for the quantizer; undefined: W itself. */
  best: { readonly target: Tensor | undefined; readonly factors: Factors; readonly error: number } | undefined;
  /** What goes to the quantizer in the next round. */
  target: Tensor | undefined;
  /** ‖W - Q‖² in the metric in the first round. */
  uncorrected: number;
}

const unfit = (layer: Layer): string | undefined => {
  const { kind, uses, path, node } = layer;
  if (kind !== "linear" || uses.length > 1) return "only linear layers with a weight of their own are corrected";
  if (path.length > 0) return "it is in a subgraph";
  if (uses[0].index !== 1 || attrs.intOf(node, "transA", 0) !== 0) return "its input is not rows of a matrix";
  if (node.opType === "Gemm" && attrs.floatOf(node, "alpha", 1) !== 1) return "it is scaled by alpha";
  if (layer.weight.tensor.type !== "float32") return `it is computed in ${layer.weight.tensor.type}`;
  const shape = shapeOf(layer);
  return typeof shape === "string" ? shape : undefined;
};

/** w - up · down */
const less = (w: Matrix, { rank, up, down }: Factors): Float32Array => {
  const out = Float32Array.from(w.data);
  for (let i = 0; i < w.rows; i++)
    for (let r = 0; r < rank; r++) {
      const factor = up[i * rank + r];
      for (let j = 0; j < w.columns; j++) out[i * w.columns + j] -= factor * down[r * w.columns + j];
    }
  return out;
};

const difference = (a: Matrix, b: Matrix): Matrix => ({ ...a, data: a.data.map((value, i) => value - b.data[i]) });

/**
 * Makes a pass that runs a quantizer and adds a low-rank correction to each linear layer. What the quantizer made of a
 * weight is found by sending the identity through the place where the layer stood, so that any pass and any stored form
 * will do. In further rounds the quantizer gets W less the correction; the best round of each layer is kept.
 */
export const correctPass = <Stats>(
  method: CorrectMethod<Stats>,
  { quantize, rank = 32, storage = "float16", skip, only }: CorrectOptions,
): Pass<Stats> => {
  const { name, rounds } = method;
  if (quantize === undefined || typeof quantize.apply !== "function")
    throw badOption(
      name,
      "quantize is missing. Give the pass whose error is to be corrected, such as rtn({ bits: 4 }).",
    );
  if (!Number.isInteger(rank) || rank < 1) throw badOption(name, `rank is ${rank}. Give a whole number of 1 or more.`);
  const reasonOf = unselected({ skip, only });
  const quantizer = chain([quantize]);
  const apply = async (model: Model, ctx: Context, stats: ReadonlyMap<string, Stats>): Promise<Model> => {
    const { ort } = ctx;
    if (!ort) throw badOption(name, "needs ort. Give onnxruntime-node or onnxruntime-web.");
    const skipped = (layer: Layer, reason: string) =>
      ctx.report({ pass: name, layer: layer.name, action: "skipped", reason });
    const work: Corrected[] = [];
    for (const layer of layers(model)) {
      const reason = reasonOf(layer) ?? unfit(layer);
      const metric = reason ?? method.metric(layer, stats.get(layer.name));
      if (typeof metric === "string") {
        skipped(layer, metric);
        continue;
      }
      const values = await layer.weight.read();
      const [m, n] = layer.weight.dims;
      if (!values.every(Number.isFinite)) skipped(layer, "its weights are not all finite");
      else if (rank >= Math.min(m, n)) skipped(layer, `rank ${rank} is no lower than that of ${m} × ${n}`);
      else work.push({ layer, metric, w: matrix(m, n, values), best: undefined, target: undefined, uncorrected: 0 });
    }
    const quantized = (targets: Iterable<readonly [LayerWeight, Tensor]>, silent: boolean) =>
      quantizer.apply(replaceWeights(model, targets), silent ? { ...ctx, report: () => undefined } : ctx, new Map());
    const targetsOf = (pick: (corrected: Corrected) => Tensor | undefined) =>
      work.flatMap((corrected): (readonly [LayerWeight, Tensor])[] => {
        const target = pick(corrected);
        return target ? [[corrected.layer.weight, target]] : [];
      });
    if (method.start === "svd")
      for (const corrected of work) {
        const { w, metric, layer } = corrected;
        corrected.target = layer.weight.write(less(w, weightedSvd(w, metric, rank, ctx.kernels).factors(rank)));
      }
    const gone = new Set<Corrected>();
    ctx.progress({ kind: "start", task: name, total: rounds * work.length });
    for (let round = 0; round < rounds; round++) {
      const made = await quantized(
        targetsOf(({ target }) => target),
        true,
      );
      for (const [index, corrected] of work.entries()) {
        checkAborted(name, ctx.signal);
        const { layer, w, metric } = corrected;
        const q = gone.has(corrected) ? undefined : await probe(ort, made, layer.input, layer.output, w.columns);
        ctx.progress({
          kind: "step",
          task: name,
          done: round * work.length + index + 1,
          total: rounds * work.length,
          note: layer.name,
        });
        if (!q || q.rows !== w.rows || !q.data.every(Number.isFinite)) {
          gone.add(corrected);
          continue;
        }
        const spectral = weightedSvd(difference(w, q), metric, rank, ctx.kernels);
        if (round === 0) corrected.uncorrected = spectral.errors[0];
        const factors = spectral.factors(rank);
        if (!corrected.best || spectral.errors[rank] < corrected.best.error)
          corrected.best = { target: corrected.target, factors, error: spectral.errors[rank] };
        if (round < rounds - 1) corrected.target = layer.weight.write(less(w, factors));
      }
    }
    ctx.progress({ kind: "end", task: name });
    const final = await quantized(
      targetsOf(({ best }) => best?.target),
      false,
    );
    const corrections = work.flatMap((corrected) => {
      const { layer, best, uncorrected } = corrected;
      if (gone.has(corrected) || !best || uncorrected === 0) {
        skipped(
          layer,
          uncorrected === 0 && best
            ? "the quantizer left it exact"
            : "what the quantizer made of it does not stand by itself",
        );
        return [];
      }
      const share = Math.sqrt(best.error / uncorrected);
      ctx.report({
        pass: name,
        layer: layer.name,
        action: "changed",
        form: `rank ${rank}, error × ${share.toFixed(3)}`,
      });
      return [{ layer, factors: best.factors }];
    });
    return putCorrections(final, corrections, storage);
  };
  return definePass<Stats>({
    name,
    stage: "quantize",
    traits: { needs: [...new Set([...(quantize.traits?.needs ?? []), "ort" as const])] },
    ...(method.observe && {
      observe: {
        ...method.observe,
        init: (layer: Layer) =>
          (reasonOf(layer) ?? unfit(layer)) === undefined ? method.observe!.init(layer) : undefined,
      },
    }),
    apply,
  });
};

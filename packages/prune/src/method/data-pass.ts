import {
  type Context,
  checkAborted,
  definePass,
  eachSegment,
  type Layer,
  type LayerObserver,
  type Model,
  observe,
  type Pass,
  type Treat,
} from "@espalier/core";
import type { Mask } from "../mask.ts";
import type { MatrixView } from "../matrix-view.ts";
import { owlSparsities } from "../ratio/owl-layers.ts";
import { misfit, type Planned, planLayers } from "./plan.ts";
import type { PruneOptions, Rule } from "./prune-options.ts";
import { putPruned, type Result, reportPruned, resultOf } from "./put-pruned.ts";

export interface DataOptions extends Omit<PruneOptions, "ratios"> {
  /** Sparsity of each layer: the same, less where activations have outliers (OWL), or what a function says. */
  readonly ratios?: "uniform" | "owl" | ((layer: Layer) => number);
  /** Calibrate each segment of the model on what the pruned ones before it give; otherwise all on the model as it is. */
  readonly sequential?: boolean;
}

/** A layer with what is known of its input. */
interface Known<Stats> extends Planned {
  /** [rows, columns], free to be changed */
  readonly w: Float32Array;
  readonly stats: Stats;
}

export interface DataMethod<Stats> {
  readonly name: string;
  readonly rule: Rule;
  observer(only: (layer: Layer) => boolean): LayerObserver<Stats>;
  /** Why a layer cannot be treated, beyond what `planLayers` sees. */
  unfit?(layer: Layer, view: MatrixView): string | undefined;
  /** The pruned weight, [rows, columns], or the reason why it is left alone. */
  prune(known: Known<Stats>, ctx: Context): { rows: Float32Array; promise?: Pick<Mask, "pattern" | "order"> } | string;
}

const NOT_OBSERVED = "its input was not observed";

/** Makes a pass that prunes layers by what their inputs are like on calibration data. */
export const dataPass = <Stats extends { readonly n: number }>(
  method: DataMethod<Stats>,
  { ratios = "uniform", sequential = true, ...options }: DataOptions,
): Pass => {
  const { name, rule } = method;
  const unfit = (layer: Layer, view: MatrixView) =>
    view.unseen ?? (layer.uses.every(({ path }) => path.length > 0) ? NOT_OBSERVED : method.unfit?.(layer, view));
  const apply = async (model: Model, ctx: Context): Promise<Model> => {
    const skipped = (layer: Layer, reason: string) =>
      ctx.report({ pass: name, layer: layer.name, action: "skipped", reason });
    const plan = await planLayers(name, model, ctx, {
      ...options,
      ...(typeof ratios === "function" && { ratios }),
      rule,
      unfit,
    });
    const sparsities = ratios === "owl" ? await owlSparsities(model, ctx, plan, rule.sparsity) : undefined;
    const planned = new Map(
      plan.map((item) => [item.layer.name, { ...item, sparsity: sparsities?.get(item.layer.name) ?? item.sparsity }]),
    );
    const results: Result[] = [];
    const treat: Treat<Stats> = async (layer, stats) => {
      checkAborted(name, ctx.signal);
      const item = planned.get(layer.name)!;
      const reason = misfit(item.view, rule, item.sparsity);
      const known =
        stats && stats.n > 0 ? { ...item, w: item.view.toRows(await layer.weight.read()), stats } : undefined;
      const made = reason ?? (known ? method.prune(known, ctx) : NOT_OBSERVED);
      ctx.progress({ kind: "step", task: name, done: results.length + 1, total: plan.length, note: layer.name });
      if (typeof made === "string") {
        skipped(layer, made);
        return undefined;
      }
      const result = resultOf(layer, item.view, made.rows, made.promise);
      results.push(result);
      reportPruned(name, ctx, result);
      return result.tensor;
    };
    if (plan.length === 0) return model;
    ctx.progress({ kind: "start", task: name, total: plan.length });
    const wanted = new Set(planned.keys());
    if (sequential) await eachSegment(model, ctx, { where: name, wanted, observer: method.observer }, treat);
    else {
      const stats = await observe(
        model,
        method.observer((layer) => wanted.has(layer.name)),
        ctx,
      );
      for (const { layer } of plan) await treat(layer, stats.get(layer.name));
    }
    ctx.progress({ kind: "end", task: name });
    return putPruned(model, results);
  };
  return definePass({
    name,
    stage: "sparsify",
    traits: { needs: ["calibration", "ort"], preserves: ["espalier.masks"] },
    apply,
  });
};

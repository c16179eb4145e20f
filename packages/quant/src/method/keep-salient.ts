import {
  attrs,
  type Context,
  definePass,
  EspalierError,
  edit,
  type Layer,
  layers,
  type Model,
  makeNode,
  type NormStats,
  normObserver,
  type Pass,
  replaceWeights,
  runPass,
  type Selection,
  tensor,
  unselected,
} from "@espalier/core";
import { readElsewhere } from "../other-readers.ts";

export interface KeepSalientOptions extends Selection {
  /** The pass that quantizes everything else. */
  readonly quantize?: Pass;
  /** Share of the inputs of each linear layer that stay float: those of the largest mean size, at least one. */
  readonly share?: number;
  /** Inputs that ever exceed this size stay float, in place of a share. The paper takes 6. */
  readonly threshold?: number;
  /** The quantizer rounds activations too: it is shown inputs without the salient ones. */
  readonly activations?: boolean;
}

const NAME = "quant/keep-salient";

const unfit = (layer: Layer, elsewhere: ReadonlySet<Layer>): string | undefined => {
  const { kind, uses, path, node, weight } = layer;
  if (kind !== "linear" || uses.length > 1 || elsewhere.has(layer))
    return "only linear layers with a weight of their own are split";
  if (path.length > 0) return "it is in a subgraph";
  if (uses[0].index !== 1 || node.inputs[1] !== weight.name || attrs.intOf(node, "transA", 0) !== 0)
    return "its input is not rows of a matrix";
  if (weight.tensor.dims.length !== 2) return "its weight is no matrix";
  if (attrs.floatOf(node, "alpha", 1) !== 1) return "it is scaled by alpha";
  return weight.tensor.type === "float32" ? undefined : `its weights are ${weight.tensor.type}`;
};

interface Split {
  readonly layer: Layer;
  /** Salient inputs, in order. */
  readonly indices: readonly number[];
  /** [salient, out] */
  readonly kept: Float32Array;
}

/** Inputs that stay float, in order. */
const salient = (
  { largest, absolutes, columns }: NormStats,
  share: number,
  threshold: number | undefined,
): number[] => {
  const all = Array.from({ length: columns }, (_, i) => i);
  if (threshold !== undefined) return all.filter((i) => largest[i]! > threshold);
  const count = Math.max(1, Math.floor(share * columns));
  return all
    .sort((a, b) => absolutes[b]! - absolutes[a]! || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);
};

/** The model as the quantizer sees it: without the salient rows of weights, and without those inputs where it must not see them. */
const without = async (model: Model, splits: readonly Split[], activations: boolean): Promise<Model> => {
  const emptied = await Promise.all(
    splits.map(async ({ layer, indices }) => {
      const w = await layer.weight.read();
      const columns = layer.weight.dims[1]!;
      for (let row = 0; row < layer.weight.dims[0]!; row++) for (const i of indices) w[row * columns + i] = 0;
      return [layer.weight, layer.weight.write(w)] as const;
    }),
  );
  const replaced = replaceWeights(model, emptied);
  if (!activations) return replaced;
  const nodes = new Map(replaced.graph.nodes.map((node) => [node.outputs[0], node]));
  return edit(replaced, ({ graph }) => {
    for (const { layer, indices } of splits) {
      const mask = new Float32Array(layer.weight.dims[1]!).fill(1);
      for (const i of indices) mask[i] = 0;
      const masked = graph.uniqueName(`${layer.input}_rest`);
      const name = graph.addWeight(`${layer.weight.name}_mask`, tensor("float32", [mask.length], mask));
      graph.add(makeNode("Mul", [layer.input, name], [masked]));
      const node = graph.latest(nodes.get(layer.output)!)!;
      graph.replace(node, { ...node, inputs: [masked, ...node.inputs.slice(1)] });
    }
  });
};

/** The quantized model with what salient inputs add to the results of their layers, in float. */
const withSalient = (model: Model, splits: readonly Split[]): Model =>
  edit(model, ({ graph }) => {
    for (const { layer, indices, kept } of splits) {
      const maker = graph.nodes().find(({ outputs }) => outputs.includes(layer.output))!;
      const rest = graph.uniqueName(`${layer.output}_rest`);
      graph.replace(maker, { ...maker, outputs: maker.outputs.map((name) => (name === layer.output ? rest : name)) });
      const at = graph.addWeight(
        `${layer.weight.name}_salient_at`,
        tensor("int64", [indices.length], BigInt64Array.from(indices, BigInt)),
      );
      const dims = [indices.length, layer.weight.dims[0]!];
      const w = graph.addWeight(`${layer.weight.name}_salient`, tensor("float32", dims, kept));
      const [few, part] = [graph.uniqueName(`${layer.input}_salient`), graph.uniqueName(`${layer.output}_salient`)];
      graph.add(
        makeNode("Gather", [layer.input, at], [few], { axis: attrs.int(-1) }),
        makeNode("MatMul", [few, w], [part]),
        makeNode("Add", [rest, part], [layer.output]),
      );
    }
  });

/**
 * Outlier channels kept in float: the inputs of each linear layer that are largest on calibration data meet their weights in
 * float, and everything else goes to a quantizer, whose scales they no longer set.
 *
 *     y = quantized(x without S, W without S) + x[S] W[S]
 *
 * Sources: arXiv:2208.07339 (LLM.int8, by `threshold`); arXiv:2306.00978, section 3.1 (a share of the channels).
 *
 * @throws EspalierError `BAD_OPTION` without `quantize`, and for a share that is none
 */
export const keepSalient = ({
  quantize,
  share = 0.01,
  threshold,
  activations = false,
  skip,
  only,
}: KeepSalientOptions = {}): Pass<NormStats> => {
  const bad = (message: string) => new EspalierError("BAD_OPTION", NAME, message);
  if (typeof quantize?.apply !== "function")
    throw bad("quantize is missing. Give the pass that quantizes the rest, such as rtn({ bits: 4 }).");
  if (!(share > 0 && share < 1)) throw bad(`share is ${share}. Give a number between 0 and 1.`);
  const reasonOf = unselected({ skip, only });
  const apply = async (model: Model, ctx: Context, stats: ReadonlyMap<string, NormStats>): Promise<Model> => {
    const all = layers(model);
    const elsewhere = readElsewhere(all);
    const splits: Split[] = [];
    for (const layer of all) {
      const own = stats.get(layer.name);
      const reason =
        reasonOf(layer) ?? unfit(layer, elsewhere) ?? (own && own.n > 0 ? undefined : "its input was not observed");
      const indices = reason === undefined ? salient(own!, share, threshold) : [];
      if (indices.length === 0) {
        const why = reason ?? `no input exceeds ${threshold}`;
        ctx.report({ pass: NAME, layer: layer.name, action: "note", reason: `nothing kept in float: ${why}` });
        continue;
      }
      const w = await layer.weight.read();
      const [out, columns] = layer.weight.dims as [number, number];
      const kept = new Float32Array(indices.length * out);
      for (const [at, i] of indices.entries())
        for (let row = 0; row < out; row++) kept[at * out + row] = w[row * columns + i]!;
      splits.push({ layer, indices, kept });
    }
    const made = await runPass(await without(model, splits, activations), quantize, ctx);
    const results = new Set(made.graph.nodes.flatMap(({ outputs }) => outputs));
    const inputs = new Set([...results, ...made.graph.inputs.map(({ name }) => name)]);
    const lost = splits.filter(({ layer }) => !results.has(layer.output) || !inputs.has(layer.input));
    if (lost.length > 0)
      throw new EspalierError(
        "UNSUPPORTED",
        NAME,
        `${quantize.name} leaves no input or result of ${lost.map(({ layer }) => `"${layer.name}"`).join(", ")} in the graph. Skip these layers, or choose another form.`,
      );
    for (const { layer, indices } of splits)
      ctx.report({
        pass: NAME,
        layer: layer.name,
        action: "note",
        reason: `${indices.length} of ${layer.weight.dims[1]} inputs kept in float`,
      });
    return splits.length > 0 ? withSalient(made, splits) : made;
  };
  const observer = normObserver({ only: (layer) => layer.kind === "linear" && reasonOf(layer) === undefined });
  return definePass<NormStats>({
    name: NAME,
    stage: "quantize",
    traits: { needs: [...new Set([...(quantize.traits?.needs ?? []), "calibration" as const, "ort" as const])] },
    observe: observer,
    apply,
  });
};

import {
  checkAborted,
  definePass,
  floatValues,
  type Layer,
  layers,
  type Model,
  makeNode,
  type Node,
  type Pass,
  replaceWeights,
  type Selection,
  sizeOf,
  type Tensor,
  tensor,
  unselected,
  type WeightPlace,
} from "@espalier/core";
import { freshNames, type Piece } from "../export/piece.ts";
import { rewrite } from "../export/rewrite.ts";
import { equalize, type GroupedWeight } from "../grid/equalize.ts";
import { type EqualPair, equalPairs } from "./equal-pairs.ts";

export interface CrossLayerEqualizeOptions extends Selection {
  /**
   * A Clip between layers ends a chain (`keep`), or becomes Max and Min with a bound for each channel (`vectors`), which
   * integer kernels do not take together with the layer.
   */
  readonly clips?: "keep" | "vectors";
}

const NAME = "quant/cross-layer-equalize";

const grouped = async ({ weight, groups, kind }: Layer): Promise<GroupedWeight> => {
  const [out, inputs, ...kernel] = weight.dims as [number, number, ...number[]];
  return { data: await weight.read(), out, inputs, kernel: sizeOf(kernel), groups: kind === "conv" ? groups : 1 };
};

/** Max and Min with bounds of each channel in place of a Clip, bounds divided as the channels before it are. */
const clipPiece = async (
  model: Model,
  clip: Node,
  factors: Float64Array,
  fresh: (base: string) => string,
): Promise<Piece> => {
  const weights = new Map<string, Tensor>();
  const nodes: Node[] = [];
  let value = clip.inputs[0]!;
  const bounds = [
    ["Max", clip.inputs[1]],
    ["Min", clip.inputs[2]],
  ] as const;
  const used = bounds.filter(([, name]) => name);
  for (const [at, [opType, name]] of used.entries()) {
    const bound = (await floatValues(model.graph.weights.get(name!)!))[0]!;
    const vector = fresh(`${name!}_c`);
    weights.set(
      vector,
      tensor(
        "float32",
        [factors.length, 1, 1],
        Float32Array.from(factors, (s) => bound / s),
      ),
    );
    const output = at === used.length - 1 ? clip.outputs[0]! : fresh(`${clip.outputs[0]!}_c`);
    nodes.push(makeNode(opType, [value, vector], [output]));
    value = output;
  }
  return { nodes, weights };
};

/**
 * Cross-layer equalization: channels between two layers trade a factor, so that every channel of both weights has the
 * same range and one scale serves them all; no data, and the function of the model stays the same. Chains of depthwise
 * and pointwise convolutions are equalized together, see `equalize`; Relu, LeakyRelu, PRelu and pooling may lie between.
 * Source: arXiv:1906.04721, section 4.1.
 */
export const crossLayerEqualize = ({ clips = "keep", skip, only }: CrossLayerEqualizeOptions = {}): Pass =>
  definePass({
    name: NAME,
    stage: "prepare",
    async apply(model, ctx) {
      const reasonOf = unselected({ skip, only });
      const all = layers(model);
      const chosen = ({ first, second }: EqualPair) => reasonOf(first) === undefined && reasonOf(second) === undefined;
      const pairs = equalPairs(model, all, clips === "vectors").filter(chosen);
      const members = [...new Set(pairs.flatMap(({ first, second }) => [first, second]))];
      const isMember = new Set(members);
      for (const layer of all)
        if (!isMember.has(layer))
          ctx.report({
            pass: NAME,
            layer: layer.name,
            action: "skipped",
            reason: reasonOf(layer) ?? "no other layer alone reads its result, or gives its input",
          });
      if (pairs.length === 0) return model;
      const weights: GroupedWeight[] = [];
      for (const layer of members) {
        checkAborted(NAME, ctx.signal);
        weights.push(await grouped(layer));
      }
      const bad = members.filter((_, i) => !weights[i]!.data.every(Number.isFinite));
      const sound = pairs.filter(({ first, second }) => !bad.includes(first) && !bad.includes(second));
      const factors = equalize(
        weights,
        sound.map(({ first, second }) => [members.indexOf(first), members.indexOf(second)] as const),
      );
      const changed: (readonly [WeightPlace, Tensor])[] = members.map((layer, i) => [
        layer.weight,
        layer.weight.write(weights[i]!.data),
      ]);
      const fresh = freshNames(model);
      const nodes = new Map<Node, Piece>();
      for (const [index, { biases, clips: between }] of sound.entries()) {
        for (const name of biases) {
          const bias = model.graph.weights.get(name)!;
          const values = (await floatValues(bias)).map((value, c) => value / factors[index]![c]!);
          changed.push([{ name, owner: model.graph }, tensor("float32", bias.dims, values)]);
        }
        for (const clip of between) nodes.set(clip, await clipPiece(model, clip, factors[index]!, fresh));
      }
      for (const [i, { name }] of members.entries()) {
        const own = sound.findIndex(({ first }) => first === members[i]);
        const most = own < 0 ? undefined : Math.max(...factors[own]!);
        ctx.report({
          pass: NAME,
          layer: name,
          action: bad.includes(members[i]!) ? "skipped" : "changed",
          reason: bad.includes(members[i]!)
            ? "its weights are not all finite"
            : most === undefined
              ? "takes the factors of the layer before it"
              : `channels divided by ${Math.min(...factors[own]!).toPrecision(3)} to ${most.toPrecision(3)}`,
        });
      }
      const clipped = rewrite(model, { nodes });
      // the main graph is another object where nodes were replaced
      const places = changed.map(([place, made]) => [{ name: place.name, owner: clipped.graph }, made] as const);
      return replaceWeights(clipped, places);
    },
  });

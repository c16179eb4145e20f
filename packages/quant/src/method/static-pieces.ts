import {
  attrs,
  consumers,
  floatValues,
  type Layer,
  type Model,
  makeNode,
  type Node,
  producers,
  type WeightPlace,
} from "@espalier/core";
import { type ActivationType, type FixedValue, type FixedWeight, fixedBias, fixedValue } from "../export/fixed.ts";
import type { Names, Piece } from "../export/piece.ts";
import type { Replacements } from "../export/rewrite.ts";
import type { StaticForm, StaticUse } from "../export/static-form.ts";
import type { Range } from "../range/calibrators.ts";
import type { Place } from "./place.ts";

/** Values on their grids, each made when first asked for. */
export interface Grids {
  of(value: string): FixedValue;
  readonly fresh: Names;
}

export const gridsOf = (rangeOf: (value: string) => Range, type: ActivationType, fresh: Names): Grids => {
  const made = new Map<string, FixedValue>();
  return {
    of(value) {
      const known = made.get(value) ?? fixedValue(value, rangeOf(value), type, fresh);
      made.set(value, known);
      return known;
    },
    fresh,
  };
};

/** True for values that something beside layers on integers reads. */
const floatReads = (model: Model, places: ReadonlyMap<Node, Place>): ((value: string) => boolean) => {
  const readers = consumers(model.graph);
  const outputs = new Set(model.graph.outputs.map(({ name }) => name));
  return (value) =>
    outputs.has(value) || (readers.get(value) ?? []).some(({ node, index }) => index !== 0 || !places.has(node));
};

/** Several pieces as one. */
const joined = (...pieces: readonly Piece[]): Piece => ({
  nodes: pieces.flatMap(({ nodes }) => nodes),
  weights: new Map(pieces.flatMap(({ weights }) => [...weights])),
  opsets: new Map(pieces.flatMap(({ opsets }) => [...(opsets ?? [])])),
});

/**
 * True for values of float convolutions that read a decoded value. Were such a value to go onto a grid at once,
 * onnxruntime would quantize the convolution too, with one scale for the whole weight (its WeightBiasQuantization).
 */
const betweenGrids = (model: Model, decoded: ReadonlyMap<string, string>, places: ReadonlyMap<Node, Place>) => {
  const makers = producers(model.graph);
  return (value: string): boolean => {
    const maker = makers.get(value);
    const node = maker && ["Relu", "Clip"].includes(maker.opType) ? makers.get(maker.inputs[0]!) : maker;
    if (!node || places.has(node) || !["Conv", "ConvTranspose"].includes(node.opType)) return false;
    return decoded.get(node.inputs[0]!) === node.inputs[0];
  };
};

/** A node that changes nothing, and that no runtime takes away. */
const passOn = (value: string, output: string): Node =>
  makeNode("LeakyRelu", [value], [output], { alpha: attrs.float(1) });

/** What stands in place of layers that run on integers. A value goes onto its grid before the first that reads it. */
export const staticPieces = async (
  model: Model,
  places: readonly Place[],
  weights: ReadonlyMap<Layer, FixedWeight>,
  form: StaticForm,
  { of, fresh }: Grids,
): Promise<Replacements> => {
  const byNode = new Map(places.map((place) => [place.node, place]));
  const readAsFloat = floatReads(model, byNode);
  // Results on a grid already bear the name of the value when they are decoded.
  const decoded = new Map(
    places.filter(({ node }) => form.gridded(node)).map(({ last }) => [last.outputs[0]!, last.outputs[0]!]),
  );
  const isBetweenGrids = betweenGrids(model, decoded, byNode);
  const values = new Map<WeightPlace, Piece>();
  const nodes = new Map<Node, Piece>();
  for (const node of model.graph.nodes) {
    const place = byNode.get(node);
    if (!place) continue;
    const weight = weights.get(place.layer)!;
    const input = of(node.inputs[0]!);
    const gridded = form.gridded(node);
    // A result that stays float leaves what is behind it alone.
    const last = gridded ? place.last : node;
    const result = last.outputs[0]!;
    const enters = !decoded.has(input.value);
    if (enters) decoded.set(input.value, fresh(`${input.value}_d`));
    const use: StaticUse = {
      node,
      last,
      input,
      decoded: decoded.get(input.value)!,
      ...(gridded && { output: of(result) }),
      weight,
      ...(place.bias && { bias: fixedBias(node.inputs[2]!, await floatValues(place.bias), input, weight, fresh) }),
      readAsFloat: readAsFloat(result),
    };
    const apart = enters && isBetweenGrids(input.value) ? fresh(`${input.value}_a`) : undefined;
    const head: Piece[] = apart ? [{ nodes: [passOn(input.value, apart)], weights: new Map() }] : [];
    if (enters) head.push(form.enter({ ...input, value: apart ?? input.value }, use.decoded));
    nodes.set(node, joined(...head, form.node(use)));
    if (last !== node) nodes.set(last, form.last(use));
    const made = form.weight(weight);
    if (made) values.set(place.layer.weight, made);
  }
  const owner = model.graph;
  const biases = places.flatMap(({ bias, node }) => (bias ? [{ name: node.inputs[2]!, owner }] : []));
  return { values, nodes, sweep: [...places.map(({ layer }) => layer.weight), ...biases] };
};

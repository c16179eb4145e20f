import { inputRowsOf, type Layer } from "@espalier/core";
import { type Shape, shapeOf } from "../graph/shape.ts";

/** Layers that are factored as one: usually one layer, or linear layers that meet the same input. */
export interface Unit extends Shape {
  readonly layers: readonly [Layer, ...Layer[]];
  readonly shapes: readonly [Shape, ...Shape[]];
}

/** What layers must have in common to be factored together; undefined for those that stand alone. */
const groupKey = (layer: Layer, { n }: Shape): string | undefined => {
  const { kind, uses, path, input, node, weight } = layer;
  if (kind !== "linear" || uses.length > 1 || uses[0].index !== 1) return undefined;
  const rows = inputRowsOf(layer);
  if (typeof rows === "string") return undefined;
  // Bias and scale of a Gemm stay with it, so products and Gemms of one orientation go together only with their like.
  return [...path, input, node.opType, rows.key, n, weight.tensor.type].join("\n");
};

/** Layers as units; those that cannot be factored go to `leave`, with the reason. */
export const unitsOf = (
  all: readonly Layer[],
  together: boolean,
  reasonOf: (layer: Layer) => string | undefined,
  leave: (layer: Layer, reason: string) => void,
): Unit[] => {
  const units: { layers: [Layer, ...Layer[]]; shapes: [Shape, ...Shape[]] }[] = [];
  const byKey = new Map<string, (typeof units)[number]>();
  for (const layer of all) {
    const shape = reasonOf(layer) ?? shapeOf(layer);
    if (typeof shape === "string") {
      leave(layer, shape);
      continue;
    }
    const key = together ? groupKey(layer, shape) : undefined;
    const known = key === undefined ? undefined : byKey.get(key);
    if (known) {
      known.layers.push(layer);
      known.shapes.push(shape);
      continue;
    }
    const made: (typeof units)[number] = { layers: [layer], shapes: [shape] };
    units.push(made);
    if (key !== undefined) byKey.set(key, made);
  }
  return units.map(({ layers, shapes }) => ({
    layers,
    shapes,
    m: shapes.reduce((sum, { m }) => sum + m, 0),
    n: shapes[0].n,
    groups: shapes[0].groups,
  }));
};

import { consumers, type Layer, type Model } from "@espalier/core";
import type { Place } from "./place.ts";

/**
 * Layers between integer ones: what they read is on a grid, and what they give goes onto one, so that float would buy
 * them nothing.
 */
export const placesBetween = (model: Model, places: readonly Place[], left: readonly Place[]): readonly Place[] => {
  const readers = consumers(model.graph);
  const outputs = new Set(model.graph.outputs.map(({ name }) => name));
  const taken = new Set<Place>();
  for (let grown = true; grown; ) {
    const integer = [...places, ...taken];
    const nodes = new Set(integer.map(({ node }) => node));
    const results = new Set(integer.filter(({ node }) => node.opType === "Conv").map(({ last }) => last.outputs[0]!));
    const isBetween = ({ node, last }: Place) => {
      const result = last.outputs[0]!;
      const after = readers.get(result) ?? [];
      return (
        node.opType === "Conv" &&
        results.has(node.inputs[0]!) &&
        !outputs.has(result) &&
        after.length > 0 &&
        after.every(({ node: reader, index }) => index === 0 && nodes.has(reader))
      );
    };
    const own = (layer: Layer) => left.filter((place) => place.layer === layer);
    const found = left.filter((place) => !taken.has(place) && own(place.layer).every(isBetween));
    for (const place of found) taken.add(place);
    grown = found.length > 0;
  }
  return [...taken];
};

import type { Layer } from "./layers.ts";

/** Chooses layers: names, operator types, globs (`*` is any text), or a function. */
export type LayerFilter = string | readonly string[] | ((layer: Layer) => boolean);

const patternOf = (glob: string): RegExp =>
  new RegExp(`^${glob.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);

/** A test for layers from names, operator types, globs or a function. */
export const layerFilter = (filter: LayerFilter): ((layer: Layer) => boolean) => {
  if (typeof filter === "function") return filter;
  const patterns = (typeof filter === "string" ? [filter] : filter).map(patternOf);
  return (layer) =>
    patterns.some((pattern) => [layer.name, layer.weight.name, layer.node.opType].some((name) => pattern.test(name)));
};

export interface Selection {
  /** Layers that are left as they are. */
  readonly skip?: LayerFilter | undefined;
  /** The only layers that are changed. */
  readonly only?: LayerFilter | undefined;
}

/** Why a layer is not selected, or undefined where it is. */
export const unselected = ({ skip, only }: Selection): ((layer: Layer) => string | undefined) => {
  const [skipped, wanted] = [
    skip === undefined ? undefined : layerFilter(skip),
    only === undefined ? undefined : layerFilter(only),
  ];
  return (layer) => {
    if (skipped?.(layer)) return "named by skip";
    return wanted && !wanted(layer) ? "not named by only" : undefined;
  };
};

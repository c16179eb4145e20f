import { floatValues, type Model, type Tensor } from "@espalier/core";
import { badOption } from "../errors.ts";
import { layersByWeight, type ReadWeight } from "./unit-group.ts";

/** Reads weights of a model, each once. @throws EspalierError `BAD_OPTION` for numbers that are not finite */
export const weightReader = (where: string, model: Model): ReadWeight => {
  const known = new Map<string, { dims: readonly number[]; values: Float32Array }>();
  const places = new Map<string, Tensor>(model.graph.weights);
  for (const [name, layer] of layersByWeight(model)) places.set(name, layer.weight.tensor);
  return async (name) => {
    const given = places.get(name);
    const before = known.get(name);
    if (before) return before;
    if (!given) throw badOption(where, `weight "${name}" is kept in a node. Fold the model first.`);
    const made = { dims: given.dims, values: await floatValues(given) };
    const bad = made.values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0)
      throw badOption(where, `weight "${name}" is ${made.values[bad]} at ${bad}. Repair it, or skip its layer.`);
    known.set(name, made);
    return made;
  };
};

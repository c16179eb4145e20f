import { byteLengthOf, readData, type Tensor } from "../tensor.ts";
import type { FoldGraph } from "./fold-graph.ts";

const same = (a: Tensor["data"], b: Tensor["data"]): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
};

/** For each weight that equals an earlier one in type, dims and every bit of its values, the earlier one's name. */
export const equalWeights = async (graph: FoldGraph, kept: ReadonlySet<string>): Promise<Map<string, string>> => {
  const buckets = new Map<string, string[]>();
  const names = new Map<string, string>();
  for (const [name, weight] of graph.weights) {
    const key = `${weight.type} ${weight.dims.join(" ")} ${byteLengthOf(weight.type, weight.dims)}`;
    const bucket = buckets.get(key);
    if (bucket === undefined || kept.has(name)) {
      if (!kept.has(name)) buckets.set(key, [name]);
      continue;
    }
    const data = await readData(weight);
    let first: string | undefined;
    for (const other of bucket) {
      const candidate = graph.weights.get(other);
      if (candidate && same(await readData(candidate), data)) first = other;
      if (first !== undefined) break;
    }
    if (first === undefined) bucket.push(name);
    else names.set(name, first);
  }
  return names;
};

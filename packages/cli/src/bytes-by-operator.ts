import { constantOf, type Graph, type Model, storedBytes, walkGraphs } from "@espalier/core";

/** Bytes of the weights by the operator that uses them (the first, of several), largest first. */
export const bytesByOperator = (model: Model): Readonly<Record<string, number>> => {
  const seen = new Map<Graph, Set<string>>();
  const found: Record<string, number> = {};
  for (const scope of walkGraphs(model)) {
    for (const { opType, domain, inputs } of scope.graph.nodes) {
      if (domain === "" && (opType === "Identity" || opType === "Transpose" || opType === "Cast")) continue;
      for (const input of inputs) {
        const constant = constantOf(scope, input);
        if (!constant) continue;
        const names = seen.get(constant.graph) ?? new Set<string>();
        seen.set(constant.graph, names);
        if (!names.has(constant.name)) found[opType] = (found[opType] ?? 0) + storedBytes(constant.tensor);
        names.add(constant.name);
      }
    }
  }
  return Object.fromEntries(Object.entries(found).sort(([, a], [, b]) => b - a));
};

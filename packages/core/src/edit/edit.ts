import { allNames, walkGraphs } from "../graph.ts";
import type { Model } from "../model.ts";
import { type DraftState, type GraphDraft, openGraph } from "./graph-draft.ts";

/** A model that is being changed. */
export interface Draft {
  /** The model before the changes. */
  readonly model: Model;
  readonly graph: GraphDraft;
  /** The main graph and every subgraph, outer ones first. */
  graphs(): GraphDraft[];
  /** Imports a domain at `version` or newer. */
  opset(domain: string, version: number): void;
  /** Raises the IR version to at least `version`. */
  irVersion(version: number): void;
  readonly metadata: Map<string, string>;
}

const sameMap = <V>(a: ReadonlyMap<string, V>, b: ReadonlyMap<string, V>) =>
  a.size === b.size && [...a].every(([key, value]) => b.get(key) === value && b.has(key));

/**
 * A model with the changes that `change` makes to a draft. What is not changed is shared with `model`. Afterwards nodes
 * stand in topological order, and nodes and weights that no output needs are gone. Without changes it is `model` itself.
 *
 * @throws EspalierError `BAD_MODEL` when the result has a cycle, a value made twice or a name that nothing makes
 */
export const edit = (model: Model, change: (draft: Draft) => void): Model => {
  let taken: Set<string> | undefined;
  const state: DraftState = {
    taken: () => {
      taken ??= allNames(model);
      return taken;
    },
    drafts: new Map(),
  };
  for (const { graph, path } of walkGraphs(model)) state.drafts.set(graph, openGraph(graph, path, state));
  const opsets = new Map(model.opsets);
  const metadata = new Map(model.metadata);
  let irVersion = model.irVersion;
  const main = state.drafts.get(model.graph)!;
  change({
    model,
    graph: main,
    graphs: () => [...state.drafts.values()],
    opset(domain, version) {
      opsets.set(domain, Math.max(version, opsets.get(domain) ?? 0));
    },
    irVersion(version) {
      irVersion = Math.max(irVersion, version);
    },
    metadata,
  });
  const graph = main.close(new Set());
  const sameOpsets = sameMap(opsets, model.opsets);
  const sameMetadata = sameMap(metadata, model.metadata);
  if (graph === model.graph && sameOpsets && sameMetadata && irVersion === model.irVersion) return model;
  return {
    ...model,
    irVersion,
    graph,
    ...(!sameOpsets && { opsets }),
    ...(!sameMetadata && { metadata }),
  };
};

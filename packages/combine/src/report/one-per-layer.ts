import type { LayerEntry } from "./report.ts";

/**
 * Entries without those that only say that another pass was meant: of a layer that some pass changed, no other pass's
 * reason to leave it alone is told; of one that none changed, only the last reason. Notes stay.
 */
export const onePerLayer = (entries: readonly LayerEntry[]): LayerEntry[] => {
  const changed = new Set(entries.filter(({ action }) => action === "changed").map(({ layer }) => layer));
  const last = new Map(entries.filter(({ action }) => action === "skipped").map((entry) => [entry.layer, entry]));
  return entries.filter(
    (entry) => entry.action !== "skipped" || (!changed.has(entry.layer) && last.get(entry.layer) === entry),
  );
};

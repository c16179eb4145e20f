import type { ReportEntry } from "@espalier/core";
import { bytes, plural } from "./format.ts";
import { type Paper, table } from "./paper.ts";

const SHOWN_NAMES = 2;

const groupBy = (entries: readonly ReportEntry[], key: (entry: ReportEntry) => string) => {
  const groups = new Map<string, ReportEntry[]>();
  for (const entry of entries) {
    const group = groups.get(key(entry));
    if (group) group.push(entry);
    else groups.set(key(entry), [entry]);
  }
  return [...groups];
};

const sum = (entries: readonly ReportEntry[], of: "bytesBefore" | "bytesAfter") =>
  entries.reduce((total, entry) => total + (entry[of] ?? 0), 0);

const names = (entries: readonly ReportEntry[]): string => {
  const more = entries.length - SHOWN_NAMES;
  const shown = entries.slice(0, SHOWN_NAMES).map(({ layer }) => layer);
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
};

const formOf = ({ form, reason, pass }: ReportEntry) => form ?? reason ?? pass;

/** Layers by the form they are stored in, those left alone by the reason, and notes. */
export const layersSummary = (entries: readonly ReportEntry[], paper: Paper): string => {
  const changed = groupBy(
    entries.filter(({ action }) => action === "changed"),
    formOf,
  ).sort(([, a], [, b]) => sum(b, "bytesBefore") - sum(a, "bytesBefore"));
  const skipped = groupBy(
    entries.filter(({ action }) => action === "skipped"),
    ({ reason }) => reason ?? "",
  ).sort(([, a], [, b]) => b.length - a.length);
  const notes = [...new Set(entries.filter(({ action }) => action === "note").map(({ reason }) => reason ?? ""))];
  const rows = [
    ...changed.map(([form, of]) => {
      const [before, after] = [sum(of, "bytesBefore"), sum(of, "bytesAfter")];
      return [plural(of.length, "layer"), before ? `${bytes(before)} → ${bytes(after)}` : "", form];
    }),
    ...skipped.map(([reason, of]) => [plural(of.length, "layer"), "left alone", `${reason}: ${names(of)}`]),
    ...notes.filter((note) => note !== "").map((note) => ["note", "", note]),
  ];
  return table([{ head: "" }, { head: "" }, { head: "", flexible: true }], rows, paper);
};

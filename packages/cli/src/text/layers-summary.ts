import type { ReportEntry } from "@espalier/core";
import { bytes, plural } from "./format.ts";
import type { Paper } from "./paper.ts";
import { table } from "./table.ts";

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

const BLOCK = /, block (\d+)$/;

/** "decode 8 bits, block 44" and "…, block 52" are told as one: "decode 8 bits, block 44 to 52". */
const formOf = ({ form, reason, pass }: ReportEntry) => (form ?? reason ?? pass).replace(BLOCK, ", block");

const blocksOf = (form: string, entries: readonly ReportEntry[]): string => {
  const blocks = entries.map((entry) => Number(BLOCK.exec(entry.form ?? "")?.[1])).filter((block) => block > 0);
  if (blocks.length === 0) return form;
  const [least, most] = [Math.min(...blocks), Math.max(...blocks)];
  return least === most ? `${form} ${least}` : `${form} ${least} to ${most}`;
};

/** Layers by the form they are stored in, those left alone by the reason, and notes. */
export const layersSummary = (entries: readonly ReportEntry[], paper: Paper): string => {
  const acted = (action: ReportEntry["action"]) => entries.filter((entry) => entry.action === action);
  const changed = groupBy(acted("changed"), formOf).sort(
    ([, a], [, b]) => sum(b, "bytesBefore") - sum(a, "bytesBefore"),
  );
  const skipped = groupBy(acted("skipped"), ({ reason }) => reason ?? "").sort(([, a], [, b]) => b.length - a.length);
  const rows = [
    ...changed.map(([form, of]) => {
      const [before, after] = [sum(of, "bytesBefore"), sum(of, "bytesAfter")];
      return [plural(of.length, "layer"), before ? `${bytes(before)} → ${bytes(after)}` : "", blocksOf(form, of)];
    }),
    ...skipped.map(([reason, of]) => [plural(of.length, "layer"), "left alone", `${reason}: ${names(of)}`]),
  ];
  const notes = [...new Set(acted("note").map(({ reason }) => reason))].filter((note) => note !== undefined);
  const columns = [{ head: "", align: "right" as const }, { head: "" }, { head: "", cut: "end" as const }];
  return [...(rows.length > 0 ? [table(columns, rows, paper)] : []), ...notes.map((note) => `  ${note}`)].join("\n");
};

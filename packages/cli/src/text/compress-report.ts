import type { CandidateRow, Report } from "@espalier/combine";
import { beforeAfterTable } from "./before-after.ts";
import { fidelityTable } from "./fidelity-table.ts";
import { bytes, number, percent, plural, times } from "./format.ts";
import { layersSummary } from "./layers-summary.ts";
import type { Paper } from "./paper.ts";
import { table } from "./table.ts";

export interface CompressReport extends Report {
  /** Name of the recipe that was asked for: "auto" where `recipe` is what it chose. */
  readonly asked: string;
  /** Names of the files. */
  readonly from: string;
  readonly to: string;
  /** Of the runtime that latency was measured in. */
  readonly threads: number;
}

const RUNTIMES = { node: "onnxruntime-node", size: "onnxruntime-node", web: "onnxruntime-web" };
const MARKS = { chosen: "✓", good: " ", over: "✗", failed: "✗", skipped: "·" };

const worst = (row: CandidateRow) => {
  const all = Object.values(row.fidelity ?? {});
  if (all.length === 0) return ["", ""];
  const agreements = all.map(({ argmaxAgreement }) => argmaxAgreement).filter((share) => share !== undefined);
  return [
    number(Math.max(...all.map(({ relativeL2 }) => relativeL2)), 3),
    agreements.length > 0 ? percent(Math.min(...agreements)) : "",
  ];
};

const candidateTable = (rows: readonly CandidateRow[], paper: Paper): string => {
  const [first] = rows.map(({ metrics }) => Object.keys(metrics ?? {})[0]).filter((name) => name !== undefined);
  const lines = rows.map((row) => {
    const metric = first === undefined ? undefined : row.metrics?.[first]?.value;
    const cells = [
      `${MARKS[row.verdict]} ${row.recipe}`,
      row.bytes === undefined ? "" : bytes(row.bytes),
      row.latencyRatio === undefined ? "" : times(row.latencyRatio),
      ...worst(row),
      ...(first === undefined ? [] : [metric === undefined ? "" : number(metric)]),
      row.reason ?? (row.verdict === "chosen" ? "chosen" : ""),
    ];
    return row.verdict === "chosen" ? cells.map((cell) => paper.paint("bold", cell)) : cells;
  });
  const right = (head: string) => ({ head, align: "right" as const });
  const middle = ["size", "latency", "relative L2", "same argmax", ...(first === undefined ? [] : [first])];
  return table([{ head: "  recipe" }, ...middle.map(right), { head: "", wrap: true }], lines, paper);
};

const heading = (report: CompressReport, paper: Paper): string => {
  const { asked, recipe, target, from, to } = report;
  const how = asked === recipe ? `recipe ${recipe}` : `recipe ${recipe}, chosen by ${asked}`;
  return `${from} → ${paper.paint("bold", to)}\n${paper.paint("dim", `${how}, for ${target}`)}`;
};

const ON = { given: "on your data", generated: "on made-up inputs; --data measures on yours" };

/** What `compress` prints. */
export const compressReport = (report: CompressReport, paper: Paper): string => {
  const { input, output, latency, metrics, fidelity, candidates, layers, warnings, stopped, seconds, peakRssBytes } =
    report;
  const title = (text: string, note = "") => `${paper.paint("bold", text)}${note && paper.paint("dim", `, ${note}`)}`;
  const told = [...(stopped ? ["stopped: this is the best of what was tried"] : []), ...warnings];
  const parts = [
    heading(report, paper),
    beforeAfterTable(
      {
        heads: ["before", "after"],
        sizes: [input, output],
        runtime: `${RUNTIMES[report.target]}, ${plural(report.threads, "thread")}`,
        ...(latency && { latency: [latency.before, latency.after] as const }),
        ...(metrics && { metrics: [metrics.before, metrics.after] as const }),
      },
      paper,
    ),
    ...(fidelity ? [`${title("fidelity", report.data && ON[report.data])}\n${fidelityTable(fidelity, paper)}`] : []),
    ...(candidates?.length ? [`${title("tried")}\n${candidateTable(candidates, paper)}`] : []),
    ...(layers.length ? [`${title("layers")}\n${layersSummary(layers, paper)}`] : []),
    ...(told.length ? [told.map((text) => paper.paint("yellow", `! ${text}`)).join("\n")] : []),
    paper.paint("dim", `${number(seconds, 3)} s${peakRssBytes ? `, ${bytes(peakRssBytes)} of memory at most` : ""}`),
  ];
  return `${parts.join("\n\n")}\n`;
};

import type { LayerFidelity } from "@espalier/core";
import type { ComparisonDocument } from "../comparison.ts";
import { beforeAfterTable } from "./before-after.ts";
import { whereErrorGrows } from "./error-growth.ts";
import { fidelityTable } from "./fidelity-table.ts";
import { number, plural } from "./format.ts";
import type { Paper } from "./paper.ts";
import { table } from "./table.ts";

export interface CompareReport extends ComparisonDocument {
  readonly names: readonly [string, string];
  /** Of the runtime that latency was measured in. */
  readonly threads: number;
}

const SHOWN_VALUES = 8;
const ON = { given: "on your data", generated: "on made-up inputs; --data measures on yours" };

const innerValues = (layers: readonly LayerFidelity[], paper: Paper): string => {
  const rows = whereErrorGrows(layers, SHOWN_VALUES).map(({ value, relativeL2 }) => [value, number(relativeL2, 3)]);
  return table(
    [
      { head: "inner value", cut: "middle" },
      { head: "relative L2", align: "right" },
    ],
    rows,
    paper,
  );
};

/** What `compare` prints. */
export const compareReport = (report: CompareReport, paper: Paper): string => {
  const { names, a, b, latency, metrics, fidelity, layers, data } = report;
  const title = (text: string, note = "") => `${paper.paint("bold", text)}${note && paper.paint("dim", `, ${note}`)}`;
  const same = layers.length > 0 && layers.every(({ relativeL2 }) => relativeL2 === 0);
  const parts = [
    `A  ${paper.paint("bold", names[0])}\nB  ${paper.paint("bold", names[1])}`,
    beforeAfterTable(
      {
        heads: ["A", "B"],
        sizes: [a, b],
        runtime: `onnxruntime-node, ${plural(report.threads, "thread")}`,
        latency: [latency.a, latency.b],
        ...(metrics && { metrics: [metrics.a, metrics.b] as const }),
      },
      paper,
    ),
    `${title("fidelity of B to A", ON[data])}\n${fidelityTable(fidelity, paper)}`,
    ...(layers.length === 0
      ? ["The two models share no inner value by name, so none is compared."]
      : same
        ? [`All ${layers.length} inner values that both have are equal.`]
        : [`${title("where the error grows", "in the order of the graph")}\n${innerValues(layers, paper)}`]),
  ];
  return `${parts.join("\n\n")}\n`;
};

import type { Metrics, Sizes } from "@espalier/combine";
import type { Timing } from "@espalier/core";
import { bytes, milliseconds, number, times } from "./format.ts";
import type { Paper } from "./paper.ts";
import { table } from "./table.ts";

export interface BeforeAfter {
  readonly heads: readonly [string, string];
  readonly sizes: readonly [Sizes, Sizes];
  readonly latency?: readonly [Timing, Timing];
  /** What latency was measured in: "onnxruntime-node, 1 thread" */
  readonly runtime?: string;
  readonly metrics?: readonly [Metrics, Metrics];
}

const arrow = { lower: "lower is better", higher: "higher is better" };

const quartiles = ({ low, high }: Timing) => `${number(low, 3)}–${number(high, 3)}`;

/** Size, brotli size, latency and metrics of two models side by side. */
export const beforeAfterTable = ({ heads, sizes, latency, runtime, metrics }: BeforeAfter, paper: Paper): string => {
  const [a, b] = sizes;
  const rows = [["size", bytes(a.bytes), bytes(b.bytes), times(b.bytes / a.bytes), ""]];
  if (a.brotli !== undefined && b.brotli !== undefined) {
    rows.push(["brotli", bytes(a.brotli), bytes(b.brotli), times(b.brotli / a.brotli), "as a server sends it"]);
  }
  if (latency) {
    const [one, other] = latency;
    const spread = paper.paint("dim", `${runtime}; middle half ${quartiles(one)} and ${quartiles(other)} ms`);
    const ratio = times(other.median / one.median);
    rows.push(["latency", milliseconds(one.median), milliseconds(other.median), ratio, spread]);
  }
  for (const [name, { value, better }] of Object.entries(metrics?.[0] ?? {})) {
    const other = metrics?.[1][name];
    if (other) rows.push([name, number(value), number(other.value), "", paper.paint("dim", arrow[better])]);
  }
  const shown = rows.map(([name, before, after, ...rest]) => [name, before, paper.paint("bold", after), ...rest]);
  const columns = [
    { head: "" },
    { head: heads[0], align: "right" as const },
    { head: heads[1], align: "right" as const },
    { head: "", align: "right" as const },
    { head: "", cut: "end" as const },
  ];
  return table(columns, shown, paper);
};

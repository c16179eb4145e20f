import type { OutputComparison } from "../compare-outputs.ts";
import type { LayerEntry, Report } from "./report.ts";

/** Reasons of the layers that were left alone, the most frequent first: `its weights are uint8 (12 layers)`. */
const reasonsOf = (layers: readonly LayerEntry[]): string => {
  const counts = new Map<string, number>();
  for (const { action, reason } of layers)
    if (action === "skipped" && reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 3);
  return sorted.map(([reason, count]) => `${reason} (${count} ${count === 1 ? "layer" : "layers"})`).join("; ");
};

/** That nothing could be done, and why. */
export const unchangedWarning = (layers: readonly LayerEntry[]): string => {
  const reasons = reasonsOf(layers);
  return `nothing was changed: ${reasons || "the model has no float weights that a pass could store smaller"}`;
};

/** Below this a ratio prints as 1.00. */
const SLOWER = 1.005;

const latencyWarning = ({ latency, target }: Report): string[] =>
  latency && latency.ratio >= SLOWER
    ? [
        `slower than the input: ${latency.ratio.toFixed(2)} × its latency in onnxruntime-${target === "web" ? "web" : "node"}`,
      ]
    : [];

const dataWarning = ({ data, fidelity }: Report): string[] =>
  data === "generated" && fidelity !== undefined
    ? ["fidelity was measured on generated inputs; give data to measure it on yours"]
    : [];

const silentWarning = ({ data }: Report, { silent }: OutputComparison): string[] =>
  silent.map(({ name, reason }) => {
    const made = data === "generated" ? "generated inputs; give data" : "the data; give other samples";
    return `output "${name}" is ${reason} on ${made} to have its fidelity judged`;
  });

/** What a user should know of a result before shipping it. */
export const warningsOf = (report: Report, measured: OutputComparison | undefined): string[] => [
  ...latencyWarning(report),
  ...(measured ? silentWarning(report, measured) : []),
  ...dataWarning(report),
];

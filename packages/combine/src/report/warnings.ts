import type { RuntimeSpeed } from "@espalier/core";
import type { OutputComparison } from "../compare-outputs.ts";
import type { LayerEntry, Report } from "./report.ts";

const runtimeNames = { node: "onnxruntime-node", web: "onnxruntime-web" } as const;

const layersOf = (count: number) => `${count} ${count === 1 ? "layer" : "layers"}`;

/** Reasons of the layers that were left alone, the most frequent first: `its weights are uint8 (12 layers)`. */
const reasonsOf = (layers: readonly LayerEntry[]): string => {
  const counts = new Map<string, number>();
  for (const { action, reason } of layers)
    if (action === "skipped" && reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 3);
  return sorted.map(([reason, count]) => `${reason} (${layersOf(count)})`).join("; ");
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
        `slower than the input: ${latency.ratio.toFixed(2)} × its latency in ${runtimeNames[target === "web" ? "web" : "node"]}`,
      ]
    : [];

/** Forms that the target runs badly, with the number of layers: `DequantizeLinear 8 bits (12 layers)`. */
const formsThat = (speed: RuntimeSpeed, { layers }: Report, runtime: "node" | "web"): string => {
  const counts = new Map<string, number>();
  for (const { action, form, runtimes } of layers)
    if (action === "changed" && form !== undefined && runtimes?.[runtime] === speed)
      counts.set(form, (counts.get(form) ?? 0) + 1);
  return [...counts].map(([form, count]) => `${form} (${layersOf(count)})`).join(", ");
};

const runtimeWarnings = (report: Report): string[] => {
  if (report.target === "size") return [];
  const { target, layers } = report;
  const [slow, unsupported] = [formsThat("slow", report, target), formsThat("unsupported", report, target)];
  const speeds = layers.flatMap(({ action, runtimes }) => (action === "changed" && runtimes ? [runtimes[target]] : []));
  const name = runtimeNames[target];
  return [
    ...(unsupported ? [`${name} does not run ${unsupported}`] : []),
    ...(slow ? [`${name} runs slower than float: ${slow}`] : []),
    ...(speeds.length > 0 && speeds.every((speed) => speed === "same")
      ? [`${name} decodes these weights: the file is smaller, and runs at float's speed`]
      : []),
  ];
};

const dataWarning = ({ data, fidelity }: Report): string[] =>
  data === "generated" && fidelity !== undefined
    ? ["fidelity was measured on generated inputs; give data to measure it on yours"]
    : [];

const silentWarning = ({ data }: Report, { silent }: OutputComparison): string[] =>
  silent.map(({ name, reason }) => {
    const made = data === "generated" ? "generated inputs; give data" : "the data; give other samples";
    return `output "${name}" is ${reason} on ${made} to have its fidelity judged`;
  });

export interface WarningContext {
  readonly report: Report;
  readonly measured: OutputComparison | undefined;
  /** A pass took statistics from calibration data. */
  readonly calibrated: boolean;
}

/** What a user should know of a result before shipping it. */
export const warningsOf = ({ report, measured, calibrated }: WarningContext): string[] => [
  ...latencyWarning(report),
  ...runtimeWarnings(report),
  ...(calibrated ? ["activation ranges are fixed from the calibration data: inputs beyond them are cut off"] : []),
  ...(measured ? silentWarning(report, measured) : []),
  ...dataWarning(report),
];

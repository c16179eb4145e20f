import { type EngineReport, hasSimd, probeEngine } from "./engine.ts";
import { probeRelaxed, type RelaxedReport } from "./relaxed.ts";
import { memoryLimit, probeThreads, type ThreadReport } from "./system.ts";
import { type Gpu, probeWebGpu, type WebGpuReport } from "./webgpu.ts";

/** What there is to compute with, and why the rest is missing. JSON. */
export interface ProbeReport {
  readonly engine: EngineReport;
  readonly simd: boolean;
  readonly relaxed: RelaxedReport;
  readonly threads: ThreadReport;
  readonly memory: { readonly maximumBytes: number };
  readonly webgpu: WebGpuReport;
}

/** Looks at this engine, its threads, memory and GPU. `gpu` is `navigator.gpu` unless one is passed. */
export const probe = async ({ gpu }: { gpu?: Gpu } = {}): Promise<ProbeReport> => ({
  engine: probeEngine(),
  simd: hasSimd(),
  relaxed: probeRelaxed(),
  threads: await probeThreads(),
  memory: { maximumBytes: memoryLimit(false) },
  webgpu: await probeWebGpu(gpu),
});

const GIB = 2 ** 30;
const either = (label: string, { available, reason }: { available: boolean; reason: string }, details: string[]) =>
  available ? `${label} (${details.join(", ")})` : `no ${label} (${reason})`;

/** The report in one line. */
export const probeLine = ({ engine, simd, relaxed, threads, memory, webgpu }: ProbeReport): string =>
  [
    `${engine.host}${engine.x86 ? " x86" : ""}: ${simd ? "SIMD128" : "no SIMD128"}`,
    either("relaxed SIMD", relaxed, [
      `dot ${relaxed.dot}`,
      relaxed.fma ? "fma" : "no fma",
      `swizzle ${relaxed.swizzle}`,
    ]),
    either("threads", threads, [threads.reason]),
    `memory to ${(memory.maximumBytes / GIB).toFixed(1)} GiB`,
    either("WebGPU", webgpu, [webgpu.adapter ?? "", ...(webgpu.fallback ? ["in software"] : [])].filter(Boolean)),
  ].join("; ");

/** Identifies what choices depend on: those made under another key are not taken over. */
export const probeKey = ({ engine, relaxed, simd }: ProbeReport): string =>
  [
    engine.host,
    engine.x86 ? "x86" : "other",
    simd ? "simd" : "",
    relaxed.available ? relaxed.dot : "",
    relaxed.fma ? "fma" : "",
  ]
    .filter(Boolean)
    .join("|");

import { basename, relative, resolve } from "node:path";
import { type CompressOptions, compress, type Report, type Target } from "@espalier/combine";
import { type Ort, openModel } from "@espalier/core";
import type { Data } from "../data/data.ts";
import { openData } from "../data/open-data.ts";
import { destination } from "../destination.ts";
import { badUsage } from "../errors.ts";
import { EXIT } from "../exit-code.ts";
import { importer } from "../import-module.ts";
import { interrupt } from "../interrupt.ts";
import type { Io } from "../io.ts";
import { passKernels } from "../kernels.ts";
import { modelSource } from "../model-source.ts";
import { type Progress, progressOn } from "../progress.ts";
import { readRecipe } from "../read-recipe.ts";
import { nodeRuntime, webRuntime } from "../runtime.ts";
import { openStatsFile, type StatsFile } from "../stats-file.ts";
import { compressReport } from "../text/compress-report.ts";
import { paperOf } from "../text/paper.ts";

export interface CompressFlags {
  readonly output?: string;
  readonly file?: string;
  readonly dtype?: string;
  readonly recipe: string;
  readonly data?: string;
  readonly target?: Target;
  readonly maxDrop?: number;
  readonly measure: boolean;
  readonly seed?: number;
  readonly threads?: number;
  readonly stats?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** The runtimes that a run needs: to measure, and for calibration data to mean anything. */
const runtimesFor = async (
  { measure, target, data }: Pick<CompressFlags, "measure" | "target" | "data">,
  cwd: string,
): Promise<{ ort?: Ort; webOrt?: Ort }> => {
  if (!measure && data === undefined) return {};
  if (!measure || target !== "web") return { ort: await nodeRuntime(cwd) };
  const webOrt = await webRuntime(cwd);
  return { webOrt, ort: await nodeRuntime(cwd).catch(() => webOrt) };
};

/** What latency is measured on: one thread where nobody says, and always in onnxruntime-web. */
const threadsOf = ({ threads = 1 }: CompressFlags, target: Target | undefined) => (target === "web" ? 1 : threads);

/** The document of `--json`, and with it all that the printed report tells. */
const documentOf = (report: Report, path: string, bytes: number, seconds: number) => {
  const { input, output, recipe, layers, fidelity, metrics, latency, warnings, ...rest } = report;
  return {
    input,
    output: { path, ...output, bytes },
    recipe,
    layers,
    ...(fidelity && { fidelity }),
    ...(metrics && { metrics }),
    ...(latency && { latency }),
    ...rest,
    seconds,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    warnings,
  };
};

/** Data whose `evaluate` says how far it is. */
const withProgress = (data: Data, { event }: Progress): Data => {
  const { evaluate } = data;
  if (!evaluate) return data;
  const task = "evaluate";
  return {
    ...data,
    async evaluate(run) {
      let done = 0;
      event({ kind: "start", task });
      const metrics = await evaluate(async (feeds) => {
        const outputs = await run(feeds);
        event({ kind: "step", task, done: ++done });
        return outputs;
      });
      event({ kind: "end", task });
      return metrics;
    },
  };
};

/** `espalier compress`: writes a smaller model and reports what that changed. */
export const compressCommand = async (model: string, flags: CompressFlags, io: Io): Promise<number> => {
  const started = performance.now();
  const { recipe: asked, measure, maxDrop, seed, threads, force = false } = flags;
  if (maxDrop !== undefined && !measure) throw badUsage("--max-drop needs measuring. Leave --no-measure out.");
  const { recipe, folder } = await readRecipe(asked, io.cwd);
  const source = await modelSource(model, io.cwd, flags.file);
  const before = await openModel(source.file);
  const out = destination(source, before, { ...flags, recipe: recipe.name, force }, io.cwd);
  const target = flags.target ?? recipe.target;
  const progress = await progressOn(io.stderr);
  const stop = interrupt(io, progress.line);
  if (out.path) stop.writing(out.path);
  let data: Data | undefined;
  let stats: StatsFile | undefined;
  try {
    if (flags.data !== undefined) data = await openData(flags.data, io.cwd, before);
    if (flags.stats !== undefined) stats = openStatsFile(resolve(io.cwd, flags.stats));
    const runtimes = await runtimesFor({ ...flags, ...(target && { target }) }, io.cwd);
    const options: CompressOptions = {
      recipe,
      measure,
      ...runtimes,
      ...(data && { data: withProgress(data, progress) }),
      ...(target && { target }),
      ...(maxDrop !== undefined && { maxDrop }),
      ...(seed !== undefined && { seed }),
      ...(threads !== undefined && { threads }),
      kernels: passKernels,
      ...(stats && { stats }),
      // few recipes train, and loading what does takes longer than reading a model
      tf: async () => (await import("../tensor-flow.ts")).tensorFlow(io.cwd),
      signal: stop.signal,
      progress: progress.event,
      importModule: importer(folder),
    };
    const { model: after, report, met, stopped } = await compress(before, options);
    // what was stopped is the best so far, and is written
    const saved = await out.save(after, report.layers, stopped ? undefined : stop.signal);
    progress.stop();
    const shown = relative(io.cwd, saved.path);
    const path = shown.startsWith("..") ? saved.path : shown;
    const document = documentOf(report, path, saved.bytes, (performance.now() - started) / 1000);
    const text = flags.json
      ? `${JSON.stringify(document, null, 2)}\n`
      : compressReport(
          { ...document, asked: recipe.name, from: basename(model), to: path, threads: threadsOf(flags, target) },
          paperOf(io),
        );
    io.stdout.write(text);
    return met ? EXIT.good : EXIT.notMet;
  } finally {
    progress.stop();
    stop.release();
    stats?.close();
    await data?.close();
  }
};

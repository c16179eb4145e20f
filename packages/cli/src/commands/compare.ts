import { basename } from "node:path";
import { openModel } from "@espalier/core";
import { comparisonOf } from "../comparison.ts";
import { openData } from "../data/open-data.ts";
import { EXIT } from "../exit-code.ts";
import { interrupt } from "../interrupt.ts";
import type { Io } from "../io.ts";
import { modelSource } from "../model-source.ts";
import { progressOn } from "../progress.ts";
import { nodeRuntime } from "../runtime.ts";
import { compareReport } from "../text/compare-report.ts";
import { paperOf } from "../text/paper.ts";

/** What core measures latency on where nobody says. */
const LATENCY_THREADS = 1;

export interface CompareFlags {
  readonly data?: string;
  readonly threads?: number;
  readonly json?: boolean;
}

/** `espalier compare`: how far B is from A, and which of the two is smaller and faster. */
export const compareCommand = async (a: string, b: string, flags: CompareFlags, io: Io): Promise<number> => {
  const [one, other] = [
    await openModel((await modelSource(a, io.cwd)).file),
    await openModel((await modelSource(b, io.cwd)).file),
  ];
  const progress = await progressOn(io.stderr);
  const stop = interrupt(io, progress.line);
  const data = flags.data === undefined ? undefined : await openData(flags.data, io.cwd, one);
  try {
    const document = await comparisonOf(one, other, {
      ort: await nodeRuntime(io.cwd),
      signal: stop.signal,
      progress: progress.event,
      ...(data && { data }),
      ...(flags.threads !== undefined && { threads: flags.threads }),
    });
    progress.stop();
    const names = [basename(a), basename(b)] as const;
    const text = flags.json
      ? `${JSON.stringify(document, null, 2)}\n`
      : compareReport({ ...document, names, threads: flags.threads ?? LATENCY_THREADS }, paperOf(io));
    io.stdout.write(text);
    return EXIT.good;
  } finally {
    progress.stop();
    stop.release();
    await data?.close();
  }
};

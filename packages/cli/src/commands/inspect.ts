import { basename } from "node:path";
import { openModel } from "@espalier/core";
import { EXIT } from "../exit-code.ts";
import { inspectionOf } from "../inspection.ts";
import type { Io } from "../io.ts";
import { modelSource } from "../model-source.ts";
import { inspectReport } from "../text/inspect-report.ts";
import { paperOf } from "../text/paper.ts";

/** `espalier inspect`: where the bytes are, the layers, which schemes fit them and what each runtime makes of those. */
export const inspectCommand = async (
  file: string,
  { json = false }: { readonly json?: boolean },
  io: Io,
): Promise<number> => {
  const inspection = await inspectionOf(await openModel((await modelSource(file, io.cwd)).file));
  const text = json
    ? `${JSON.stringify(inspection, null, 2)}\n`
    : inspectReport(inspection, basename(file), paperOf(io));
  io.stdout.write(text);
  return EXIT.good;
};

import { EspalierError } from "@espalier/core";

/** Something wrong with the data of `--data`. `file` is what the user typed. */
export const badData = (file: string, message: string, cause?: unknown): EspalierError =>
  new EspalierError("BAD_DATA", "cli/data", `"${file}" ${message}`, cause === undefined ? undefined : { cause });

/** A command line that makes no sense. */
export const badUsage = (message: string): EspalierError => new EspalierError("BAD_OPTION", "cli", message);

/** First line of what was thrown, whatever was thrown. */
export const firstLine = (error: unknown): string => {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.trim().split("\n")[0].replace(/\.$/, "");
};

/** `code` of an error of Node: "ENOENT", "ERR_MODULE_NOT_FOUND" … */
export const nodeCode = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

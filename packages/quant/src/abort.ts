import { EspalierError } from "@espalier/core";

/** Stops a pass whose signal was raised. @throws EspalierError `ABORTED` */
export const checkAborted = (pass: string, signal: AbortSignal | undefined): void => {
  if (signal?.aborted) throw new EspalierError("ABORTED", pass, "Stopped by the signal. Nothing was changed.");
};

import { EspalierError } from "./errors.ts";

/** Stops work whose signal was raised. @throws EspalierError `ABORTED` */
export const checkAborted = (where: string, signal: AbortSignal | undefined): void => {
  if (signal?.aborted) throw new EspalierError("ABORTED", where, "stopped by the signal. Nothing was changed.");
};

import { checkAborted, EspalierError, type Session } from "@espalier/core";
import type { Metrics } from "./report/report.ts";
import type { Data } from "./settings.ts";

const isMetrics = (found: unknown): found is Metrics => {
  if (typeof found !== "object" || found === null) return false;
  const metrics = Object.values(found) as ({ value?: unknown; better?: unknown } | null)[];
  return (
    metrics.length > 0 &&
    metrics.every((one) => typeof one?.value === "number" && (one.better === "lower" || one.better === "higher"))
  );
};

/** What `evaluate` makes of a session. @throws EspalierError `BAD_DATA` for what are no metrics, `ABORTED` */
export const scoresOf = async (session: Session, data: Data, signal: AbortSignal | undefined): Promise<Metrics> => {
  const found: unknown = await data.evaluate?.((feeds) => {
    checkAborted("combine/measure", signal);
    return session.run(feeds);
  });
  if (isMetrics(found)) return found;
  throw new EspalierError(
    "BAD_DATA",
    "combine/measure",
    `evaluate gave ${JSON.stringify(found) ?? String(found)}. Give { name: { value: number, better: "lower" | "higher" } }.`,
  );
};

import type { Metrics, Run } from "@espalier/combine";
import type { Calibration } from "@espalier/core";

export type Evaluate = (run: Run) => Promise<Metrics>;

/** What `--data` named, checked against the model. */
export interface Data {
  readonly calibration: Calibration;
  readonly evaluate?: Evaluate;
  close(): Promise<void>;
}

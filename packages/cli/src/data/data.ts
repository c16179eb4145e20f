import type { Metrics, Run } from "@espalier/combine";
import type { Calibration, Training } from "@espalier/core";

export type Evaluate = (run: Run) => Promise<Metrics>;

/** What `--data` named, checked against the model. */
export interface Data {
  readonly calibration: Calibration;
  readonly training?: Training;
  readonly evaluate?: Evaluate;
  close(): Promise<void>;
}

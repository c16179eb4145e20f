import { EspalierError } from "../errors.ts";
import type { Op, Row, Spec, Values } from "../op.ts";
import type { ProbeReport } from "../probe/probe.ts";
import type { Arena } from "./arena.ts";
import { checkArguments, withAddresses } from "./call.ts";
import { runKernel } from "./compile.ts";
import { type Choice, type Picked, type PickOptions, pick } from "./pick.ts";
import type { Pool } from "./pool.ts";

/** What methods are made of: runs any op of the table on the kernel that was picked for it. */
export interface Runtime {
  readonly arena: Arena;
  /** Checks the arguments and runs the op; its kernel is picked at the first call. */
  run<S extends Spec>(op: Op<S>, values: Values<S>): void;
  /** What was picked so far, in the order of first use. */
  choices(): readonly Choice[];
}

export const makeRuntime = (
  table: readonly Row[],
  arena: Arena,
  report: ProbeReport,
  options: PickOptions,
  pool?: Pool,
): Runtime => {
  const picked = new Map<string, Picked>();
  const rows = new Map(table.map((row) => [row.op.name, row]));
  const pickFor = (row: Row): Picked => {
    const known = picked.get(row.op.name);
    if (known) return known;
    const made = pick(row, arena, report, options);
    picked.set(row.op.name, made);
    return made;
  };
  return {
    arena,
    run: (op, values) => {
      const row = rows.get(op.name);
      if (!row) throw new EspalierError("UNSUPPORTED", "hw-kernels", `no op is called ${op.name}.`);
      checkArguments(op, values);
      // Picking may grow the memory, so it happens when all addresses are known and no view is used any more.
      withAddresses(arena, row.op, values as Values<Spec>, (call, views) => {
        const { kernel } = pickFor(row);
        if (kernel) runKernel(arena, row.op, kernel, call, pool);
        else row.reference(views());
      });
    },
    choices: () => [...picked.values()].map(({ choice }) => choice),
  };
};

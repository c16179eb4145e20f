import type { Row } from "../op.ts";
import type { Arena } from "./arena.ts";
import { withAddresses } from "./call.ts";
import { type Kernel, runKernel } from "./compile.ts";

/** Engines replace their first, slow code while it runs: timing goes on until no time has improved for a while. */
const LEAST_MILLISECONDS = 5;
const STEADY_MILLISECONDS = 3;
const MOST_MILLISECONDS = 30;
const IMPROVED = 0.95;
const MICROSECONDS = 1000;

/** The shortest time of each kernel on the op's sample, in microseconds; they take turns, so that noise hits all alike. */
export const calibrate = ({ op }: Row, arena: Arena, kernels: readonly Kernel[]): number[] => {
  const best = kernels.map(() => Infinity);
  withAddresses(arena, op, op.sample(), (call) => {
    const start = performance.now();
    let improved = start;
    for (;;) {
      for (const [i, kernel] of kernels.entries()) {
        const before = performance.now();
        runKernel(arena, op, kernel, call);
        const after = performance.now();
        const time = (after - before) * MICROSECONDS;
        if (time < best[i]! * IMPROVED) improved = after;
        best[i] = Math.min(best[i]!, time);
      }
      const now = performance.now();
      if (now - start > MOST_MILLISECONDS) return;
      if (now - start > LEAST_MILLISECONDS && now - improved > STEADY_MILLISECONDS) return;
    }
  });
  return best;
};

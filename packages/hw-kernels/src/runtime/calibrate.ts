import type { Row } from "../op.ts";
import type { Arena } from "./arena.ts";
import { withAddresses } from "./call.ts";
import { type Kernel, runKernel } from "./compile.ts";

/** Long enough for the engine to replace its first, slow code while the candidates take turns. */
const BUDGET_MILLISECONDS = 12;
const LEAST_ROUNDS = 5;
const MICROSECONDS = 1000;

/** The shortest time of each kernel on the op's sample, in microseconds; they take turns, so that noise hits all alike. */
export const calibrate = ({ op }: Row, arena: Arena, kernels: readonly Kernel[]): number[] => {
  const best = kernels.map(() => Infinity);
  withAddresses(arena, op, op.sample(), (call) => {
    const end = performance.now() + BUDGET_MILLISECONDS * kernels.length;
    for (let round = 0; round < LEAST_ROUNDS || performance.now() < end; round++)
      for (const [i, kernel] of kernels.entries()) {
        const start = performance.now();
        runKernel(arena, op, kernel, call);
        best[i] = Math.min(best[i]!, (performance.now() - start) * MICROSECONDS);
      }
  });
  return best;
};

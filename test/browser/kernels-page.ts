// Runs in Chromium; see kernels.test.ts.
import { createKernels, type Tensor } from "../../packages/hw-kernels/src/index.ts";
import { table } from "../../packages/hw-kernels/src/ops/table.ts";
import { probe } from "../../packages/hw-kernels/src/probe/probe.ts";
import { makeArena } from "../../packages/hw-kernels/src/runtime/arena.ts";
import { type Choice, pick } from "../../packages/hw-kernels/src/runtime/pick.ts";

const ARENA_BYTES = 2 ** 26;

/** What this page has, and what becomes of every kernel of every op: each is compiled, proven and timed. */
export const proveAll = async (): Promise<{ host: string; relaxed: boolean; choices: Choice[] }> => {
  const report = await probe();
  const arena = makeArena(new WebAssembly.Memory({ initial: 16 }), ARENA_BYTES);
  const choices = table.map((row) => pick(row, arena, report, { deterministic: false }).choice);
  return { host: report.engine.host, relaxed: report.relaxed.available, choices };
};

const numbers = (rows: number, columns: number): Tensor<"float32"> => ({
  type: "float32",
  dims: [rows, columns],
  data: Float32Array.from({ length: rows * columns }, (_, i) => ((i * 7) % 13) - 6),
});

/** A product on so many threads, once its workers have started, and what the kernels say about themselves. */
export const product = async (threads?: number): Promise<{ sum: number; description: string }> => {
  const hw = await createKernels({ threads });
  const [a, b] = [numbers(96, 300), numbers(300, 200)];
  hw.gemm(a, b);
  if (hw.describe().includes("workers"))
    while (!/\((\d+) of \1 workers started\)/.test(hw.describe()))
      await new Promise((resolve) => setTimeout(resolve, 5));
  const sum = hw.gemm(a, b).data.reduce((total, value, i) => total + value * (i % 5), 0);
  const description = hw.describe();
  hw.dispose();
  return { sum, description };
};

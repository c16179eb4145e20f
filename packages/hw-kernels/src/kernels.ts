import { type AlgebraKernels, algebraKernels } from "./api/algebra.ts";
import { type ConvolutionKernels, convolutionKernels } from "./api/convolution.ts";
import { type EncodingKernels, encodingKernels } from "./api/encoding.ts";
import { type LayerKernels, layerKernels } from "./api/layers.ts";
import { type LinearKernels, linearKernels } from "./api/linear.ts";
import { isPacked, type PackedKernels, packedKernels } from "./api/packed.ts";
import { type QuantizationKernels, quantizationKernels } from "./api/quantization.ts";
import { type SparseKernels, sparseKernels } from "./api/sparse.ts";
import { EspalierError } from "./errors.ts";
import { table } from "./ops/table.ts";
import { type ProbeReport, probe, probeKey, probeLine } from "./probe/probe.ts";
import { memoryLimit } from "./probe/system.ts";
import type { Gpu } from "./probe/webgpu.ts";
import { makeArena } from "./runtime/arena.ts";
import type { Choice, Prefer } from "./runtime/pick.ts";
import { makePool, type Pool } from "./runtime/pool.ts";
import { makeRuntime } from "./runtime/runtime.ts";
import { type Handle, makeHandle, type TensorType } from "./tensor.ts";

/** Choices to keep, in localStorage or a file: the next start on such a machine does not measure again. */
export interface SavedChoices {
  readonly key: string;
  readonly variants: Readonly<Record<string, string>>;
}

export interface KernelOptions {
  /** The most that may be used, for all ops ("simd") or by op ({ gemm: "simd", gemv: "reference" }); variants by name. */
  prefer?: Prefer;
  /** Same bits on every machine: no fused multiply-add, and no choice by time among kernels that round differently. */
  deterministic?: boolean;
  /**
   * Threads to work with, this one included. 1: no workers. Unless given, half of the cores, from 2 to 8, where memory can
   * be shared. Workers start at the first call that is worth it, and results do not depend on them.
   */
  threads?: number;
  /** What `save` returned earlier. Ignored if made on another kind of machine. */
  choices?: SavedChoices;
  /** WebGPU, where it is not `navigator.gpu`. */
  gpu?: Gpu;
}

/** Products take packed weights as well as tensors. */
type Products = LinearKernels & PackedKernels;

export interface Kernels
  extends AlgebraKernels,
    Products,
    ConvolutionKernels,
    LayerKernels,
    QuantizationKernels,
    SparseKernels,
    EncodingKernels {
  readonly probe: ProbeReport;
  /** A tensor in the kernels' memory, with a copy of `data` or zeros. Kernels use it without copying. */
  tensor<T extends TensorType>(type: T, dims: readonly number[], data?: ArrayLike<number>): Handle<T>;
  /** What is there, and what each op that was used runs on and why; to be read by people. */
  describe(): string;
  /** The same as data. */
  choices(): readonly Choice[];
  /** Choices for the option `choices` of a later start. */
  save(): SavedChoices;
  /** Ends the workers. Tensors and methods go on to work, on one thread. */
  dispose(): void;
}

const PAGE = 65536;
const INITIAL_PAGES = 16;

const FEWEST = 2;
const MOST = 8;
/** How many threads to use: as asked for, if that can be. */
const threadCount = (asked: number | undefined, { threads }: ProbeReport): number => {
  if (asked !== undefined && !(Number.isInteger(asked) && asked > 0))
    throw new EspalierError("BAD_OPTION", "hw-kernels", `threads is ${asked}. Give a number from 1 up.`);
  if (!threads.shared) return 1;
  if (asked !== undefined) return asked;
  if (!threads.available) return 1;
  return Math.min(Math.max(Math.ceil(threads.cores / 2), FEWEST), MOST);
};

const threadLine = (threads: number, pool?: Pool) =>
  pool ? `using ${threads} threads (${pool.ready()} of ${threads - 1} workers started)` : "using one thread";

const describeChoice = ({ op, variant, why, candidates }: Choice): string => {
  const others = candidates
    .filter(({ state }) => state !== "chosen")
    .map(({ variant: name, state, reason }) => `${name}: ${reason ?? state}`);
  return [`${op}: ${variant} (${why})`, ...others.map((line) => `  ${line}`)].join("\n");
};

/** The kernels that are fastest here. Looks at the machine once; each op is compiled, proven and timed at its first use. */
export const createKernels = async ({
  prefer,
  deterministic = false,
  threads: asked,
  choices: earlier,
  gpu,
}: KernelOptions = {}): Promise<Kernels> => {
  const report = await probe({ gpu });
  if (report.memory.maximumBytes === 0)
    throw new EspalierError("UNSUPPORTED", "hw-kernels", "this host makes no WebAssembly memory.");
  const threads = threadCount(asked, report);
  const maximumBytes = threads > 1 ? memoryLimit(true) : report.memory.maximumBytes;
  const memory = new WebAssembly.Memory({
    initial: INITIAL_PAGES,
    maximum: maximumBytes / PAGE,
    shared: threads > 1,
  });
  const arena = makeArena(memory, maximumBytes);
  const saved = earlier?.key === probeKey(report) ? earlier.variants : undefined;
  const pool = threads > 1 ? makePool(arena, threads - 1) : undefined;
  const runtime = makeRuntime(table, arena, report, { prefer, deterministic, saved }, pool);
  const linear = linearKernels(runtime);
  const packed = packedKernels(runtime);
  const products = {
    ...linear,
    ...packed,
    gemv: (w: never, ...rest: [never]) => (isPacked(w) ? packed : linear).gemv(w, ...rest),
    gemm: (a: never, ...rest: [never]) => (isPacked(a) ? packed : linear).gemm(a, ...rest),
  };
  return {
    ...algebraKernels(runtime),
    ...products,
    ...convolutionKernels(runtime),
    ...layerKernels(runtime),
    ...quantizationKernels(runtime),
    ...sparseKernels(runtime),
    ...encodingKernels(runtime),
    probe: report,
    tensor: (type, dims, data) => makeHandle(arena, type, dims, data),
    describe: () =>
      [`${probeLine(report)}; ${threadLine(threads, pool)}`, ...runtime.choices().map(describeChoice)].join("\n"),
    choices: runtime.choices,
    dispose: () => pool?.dispose(),
    save: () => ({
      key: probeKey(report),
      variants: Object.fromEntries(runtime.choices().map(({ op, variant }) => [op, variant])),
    }),
  };
};

export interface ThreadReport {
  readonly available: boolean;
  readonly reason: string;
  /** Logical cores. */
  readonly cores: number;
  /** Whether threads can share a memory. */
  readonly shared: boolean;
}

const PAGE = 65536;
/** From the 4 GiB that 32-bit addresses reach, down. */
const PAGE_LIMITS = [65536, 49152, 32768, 16384, 8192, 4096, 1024];

/** The most bytes that one WebAssembly memory may grow to here, shared or not; 0 if there can be none. */
export const memoryLimit = (shared: boolean): number => {
  for (const maximum of PAGE_LIMITS) {
    try {
      new WebAssembly.Memory(shared ? { initial: 1, maximum, shared } : { initial: 1, maximum });
      return maximum * PAGE;
    } catch {}
  }
  return 0;
};

const coreCount = async (): Promise<number> => {
  const fromNavigator = (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator?.hardwareConcurrency;
  if (fromNavigator) return fromNavigator;
  try {
    const { availableParallelism } = await import("node:os");
    return availableParallelism();
  } catch {
    return 1;
  }
};

/** Whether workers can share a memory with this thread. */
export const probeThreads = async (): Promise<ThreadReport> => {
  const cores = await coreCount();
  const none = (shared: boolean, reason: string) => ({ available: false, cores, shared, reason });
  if (typeof SharedArrayBuffer === "undefined")
    return none(false, "there is no SharedArrayBuffer: the page is not cross-origin isolated");
  if (memoryLimit(true) === 0) return none(false, "no shared WebAssembly memory can be made");
  if (cores < 2) return none(true, "there is one core");
  return { available: true, cores, shared: true, reason: `${cores} cores` };
};

import { EspalierError } from "../errors.ts";

/** Blocks start at multiples of this: a cache line, so that no vector straddles two lines. */
const ALIGNMENT = 64;
const PAGE = 65536;
const roundUp = (value: number, to: number) => Math.ceil(value / to) * to;

interface Block {
  start: number;
  size: number;
}

/** Memory for tensors inside one WebAssembly memory, which grows when it is full. */
export interface Arena {
  readonly memory: WebAssembly.Memory;
  /** The address of `bytes` bytes, a multiple of 64 and never 0. Views of the memory made before may be detached. */
  allocate(bytes: number): number;
  /** Gives back what `allocate` returned. */
  free(address: number): void;
  /** Bytes that are allocated now. */
  used(): number;
}

/** An arena over a memory of its own use. First fit; neighbours that are free are joined. */
export const makeArena = (memory: WebAssembly.Memory, maximumBytes: number): Arena => {
  const taken = new Map<number, number>();
  let free: Block[] = [{ start: ALIGNMENT, size: memory.buffer.byteLength - ALIGNMENT }];

  const give = (block: Block) => {
    const sorted = [...free, block].sort((a, b) => a.start - b.start);
    free = [];
    for (const next of sorted) {
      const last = free.at(-1);
      if (last && last.start + last.size === next.start) last.size += next.size;
      else free.push({ ...next });
    }
  };

  const grow = (bytes: number) => {
    const before = memory.buffer.byteLength;
    const last = free.at(-1);
    const missing = bytes - (last && last.start + last.size === before ? last.size : 0);
    // Half as much again, so that many small tensors do not grow it many times; exactly what is needed near the limit.
    const wanted = Math.min(roundUp(Math.max(missing, before / 2), PAGE), maximumBytes - before);
    try {
      if (wanted < missing) throw new RangeError(`the limit is ${maximumBytes} bytes`);
      memory.grow(wanted / PAGE);
    } catch (cause) {
      throw new EspalierError(
        "TOO_LARGE",
        "hw-kernels/memory",
        `${bytes} bytes do not fit: ${before} are reserved already and no more can be had. Dispose tensors that are no longer used, or work on parts.`,
        { cause },
      );
    }
    give({ start: before, size: memory.buffer.byteLength - before });
  };

  const take = (size: number): number | undefined => {
    const at = free.findIndex((block) => block.size >= size);
    const block = free[at];
    if (!block) return undefined;
    const { start } = block;
    block.start += size;
    block.size -= size;
    if (block.size === 0) free.splice(at, 1);
    taken.set(start, size);
    return start;
  };

  return {
    memory,
    allocate: (bytes) => {
      const size = roundUp(Math.max(bytes, 1), ALIGNMENT);
      const found = take(size);
      if (found !== undefined) return found;
      grow(size);
      return take(size)!;
    },
    free: (address) => {
      const size = taken.get(address);
      if (size === undefined)
        throw new EspalierError(
          "BAD_DATA",
          "hw-kernels/memory",
          `nothing is allocated at ${address}. Dispose a tensor once.`,
        );
      taken.delete(address);
      give({ start: address, size });
    },
    used: () => [...taken.values()].reduce((sum, size) => sum + size, 0),
  };
};

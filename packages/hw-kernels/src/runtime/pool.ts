import { EspalierError } from "../errors.ts";
import type { Arena } from "./arena.ts";
import { type Stop, startWorker } from "./start-worker.ts";
import { COMMAND, SLOT, STATE, workerSource } from "./worker-source.ts";

/** Workers that run parts of a call beside this thread. */
export interface Pool {
  /** How many parts can run at once now: this thread, and the workers that have started. Starts them when first asked. */
  width(): number;
  /**
   * Runs a kernel on each list of arguments: the first here, the others in workers. `bytes` is the kernel's module, and
   * `run` the same one here.
   */
  run(bytes: Uint8Array, calls: readonly (readonly number[])[], run: (...args: number[]) => void): void;
  /** Workers that have started. */
  ready(): number;
  /** Ends the workers. */
  dispose(): void;
}

const SPINS = 20_000;
const SLEEP_MILLISECONDS = 50;

/** Whether this thread may sleep: the main thread of a page may not. */
const maySleep = (): boolean => {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
};

/** A pool of `workers` workers on the arena's memory, which must be shared. None starts before it is needed. */
export const makePool = (arena: Arena, workers: number): Pool => {
  const control = new SharedArrayBuffer(SLOT.bytes * (workers + 1));
  const ready = new Int32Array(control, 0, 1);
  const slots = Array.from({ length: workers }, (_, i) => ({
    header: new Int32Array(control, SLOT.bytes * (i + 1), SLOT.bytes / 4),
    args: new Float64Array(
      control,
      SLOT.bytes * (i + 1) + SLOT.firstArgument * 4,
      SLOT.bytes / 8 - SLOT.firstArgument / 2,
    ),
    loaded: new Set<number>(),
  }));
  const numbers = new Map<Uint8Array, number>();
  const sleeps = maySleep();
  let stops: Promise<Stop>[] | undefined;
  let failed = false;

  const start = () => {
    stops = slots.map((_, index) => startWorker(workerSource, { memory: arena.memory, control, index }));
    // A page may forbid workers; then this thread goes on alone.
    Promise.all(stops).catch(() => {
      failed = true;
    });
  };

  const send = (
    { header, args }: (typeof slots)[number],
    command: number,
    kernel: number,
    values: readonly number[],
  ) => {
    args.set(values);
    header[SLOT.command] = command;
    header[SLOT.kernel] = kernel;
    header[SLOT.count] = values.length;
    Atomics.store(header, SLOT.state, STATE.go);
    Atomics.notify(header, SLOT.state);
  };

  const finish = ({ header }: (typeof slots)[number]): boolean => {
    for (let spin = 0; spin < SPINS; spin++) if (Atomics.load(header, SLOT.state) !== STATE.go) break;
    while (Atomics.load(header, SLOT.state) === STATE.go)
      if (sleeps) Atomics.wait(header, SLOT.state, STATE.go, SLEEP_MILLISECONDS);
    return Atomics.load(header, SLOT.state) === STATE.done;
  };

  const refuse = (what: string): never => {
    throw new EspalierError("RUNTIME", "hw-kernels/threads", `a worker failed ${what}. Use the option threads: 1.`);
  };

  const load = (slot: (typeof slots)[number], id: number, bytes: Uint8Array) => {
    if (slot.loaded.has(id)) return;
    const address = arena.allocate(bytes.length);
    new Uint8Array(arena.memory.buffer, address, bytes.length).set(bytes);
    send(slot, COMMAND.load, id, [address, bytes.length]);
    const done = finish(slot);
    arena.free(address);
    if (!done) refuse("to compile a kernel");
    slot.loaded.add(id);
  };

  return {
    width: () => {
      if (!stops) start();
      // Workers get ready in any order; only when all are is it known which.
      return !failed && Atomics.load(ready, 0) === workers ? workers + 1 : 1;
    },
    ready: () => Atomics.load(ready, 0),
    run: (bytes, calls, run) => {
      const id = numbers.get(bytes) ?? numbers.size;
      numbers.set(bytes, id);
      const [own, ...others] = calls;
      const used = others.map((_, i) => slots[i]!);
      for (const slot of used) load(slot, id, bytes);
      for (const [i, values] of others.entries()) send(used[i]!, COMMAND.run, id, values);
      run(...own!);
      const results = used.map(finish);
      if (results.includes(false)) refuse("in a kernel");
    },
    dispose: () => {
      for (const stop of stops ?? []) stop.then((end) => end()).catch(() => undefined);
      failed = true;
    },
  };
};

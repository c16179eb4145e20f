/** Where the numbers of a worker's slot lie: 32-bit ones at the start, the arguments as float64 behind them. */
export const SLOT = { bytes: 512, state: 0, command: 1, kernel: 2, count: 3, firstArgument: 4 };
export const STATE = { waiting: 0, go: 1, done: 2, failed: 3 };
export const COMMAND = { load: 0, run: 1 };

/** How often a worker looks for work before it sleeps: about 50 microseconds. */
const SPINS = 4000;

/**
 * What a worker runs, as text, so that it needs no file of its own. It is told everything through shared memory: a module's
 * bytes, or a kernel's number and arguments; it looks for work for a moment, then sleeps until it is woken.
 */
export const workerSource = `
const begin = ({ memory, control, index }) => {
  const base = (index + 1) * ${SLOT.bytes};
  const slot = new Int32Array(control, base, ${SLOT.bytes / 4});
  const args = new Float64Array(control, base + ${SLOT.firstArgument * 4}, ${SLOT.bytes / 8 - SLOT.firstArgument / 2});
  const kernels = [];
  const commands = [
    (id) => {
      const bytes = new Uint8Array(memory.buffer, args[0], args[1]).slice();
      kernels[id] = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports.run;
    },
    (id, count) => kernels[id](...args.subarray(0, count)),
  ];
  const ready = new Int32Array(control, 0, 1);
  Atomics.add(ready, 0, 1);
  for (;;) {
    let state = Atomics.load(slot, ${SLOT.state});
    for (let spin = 0; state !== ${STATE.go} && spin < ${SPINS}; spin++) state = Atomics.load(slot, ${SLOT.state});
    if (state !== ${STATE.go}) {
      Atomics.wait(slot, ${SLOT.state}, state);
      continue;
    }
    let result = ${STATE.done};
    try {
      commands[slot[${SLOT.command}]](slot[${SLOT.kernel}], slot[${SLOT.count}]);
    } catch {
      result = ${STATE.failed};
    }
    Atomics.store(slot, ${SLOT.state}, result);
    Atomics.notify(slot, ${SLOT.state});
  }
};
if (typeof addEventListener === "function") addEventListener("message", ({ data }) => begin(data), { once: true });
else import("node:worker_threads").then(({ workerData }) => begin(workerData));
`;

const LEAST_MILLISECONDS = 8;
const WARM_MILLISECONDS = 150;
/** Before each turn; with threads longer, as the threads of the others look for work for a while before they sleep. */
const PAUSE_MILLISECONDS = { processor: 2, wall: 40 };

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Milliseconds: on the clock, or of processor time, which does not count what other processes take on a busy machine. */
export const clocks = {
  wall: () => performance.now(),
  processor: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

const time = async (run, count, now) => {
  const start = now();
  for (let i = 0; i < count; i++) {
    const result = run();
    if (result instanceof Promise) await result;
  }
  return now() - start;
};

/**
 * The shortest time of each contestant in milliseconds. They take turns, with a pause before each turn, so that a busy
 * machine hits all alike and each begins with a fresh slice of the processor; each turn lasts at least eight milliseconds.
 */
export const measure = async (contestants, seconds, clock) => {
  const now = clocks[clock];
  const entries = [];
  for (const [name, run] of Object.entries(contestants)) {
    const end = performance.now() + WARM_MILLISECONDS;
    let shortest = Infinity;
    while (performance.now() < end || shortest === Infinity) {
      shortest = Math.min(shortest, await time(run, 1, clocks.wall));
      await pause(0);
    }
    entries.push({ name, run, count: Math.ceil(LEAST_MILLISECONDS / shortest), best: Infinity });
  }
  const end = performance.now() + seconds * 1000;
  for (let round = 0; round < 5 || performance.now() < end; round++)
    for (const entry of entries) {
      await pause(PAUSE_MILLISECONDS[clock]);
      entry.best = Math.min(entry.best, (await time(entry.run, entry.count, now)) / entry.count);
    }
  return Object.fromEntries(entries.map(({ name, best }) => [name, best]));
};

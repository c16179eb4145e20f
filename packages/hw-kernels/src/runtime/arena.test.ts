import { describe, expect, it } from "vitest";
import { seeded } from "../ops/seeded.ts";
import { makeArena } from "./arena.ts";

const PAGE = 65536;
const arenaOf = (pages = 1, maximum = 16) =>
  makeArena(new WebAssembly.Memory({ initial: pages, maximum }), maximum * PAGE);

describe("arena", () => {
  it("gives multiples of 64, never 0, that do not overlap, over 2000 random steps, and gets everything back", () => {
    const arena = arenaOf();
    const random = seeded(1);
    const live: { address: number; size: number }[] = [];
    for (let step = 0; step < 2000; step++) {
      if (live.length && random() < 0.5) arena.free(live.splice(Math.floor(random() * live.length), 1)[0]!.address);
      else {
        const size = Math.floor(random() * 9000) + 1;
        const address = arena.allocate(size);
        expect(address % 64).toBe(0);
        expect(address).toBeGreaterThan(0);
        expect(address + size).toBeLessThanOrEqual(arena.memory.buffer.byteLength);
        for (const other of live)
          expect(address >= other.address + other.size || other.address >= address + size).toBe(true);
        live.push({ address, size });
      }
    }
    for (const { address } of live) arena.free(address);
    expect(arena.used()).toBe(0);
    expect(arena.allocate(arena.memory.buffer.byteLength - 64)).toBe(64);
  });

  it("grows when it is full, and uses the free end of what it has", () => {
    const arena = arenaOf(1);
    arena.allocate(PAGE / 2);
    arena.allocate(PAGE);
    expect(arena.memory.buffer.byteLength).toBe(2 * PAGE);
  });

  it("refuses what is over the limit with TOO_LARGE and stays usable", () => {
    const arena = arenaOf(1, 2);
    expect(() => arena.allocate(3 * PAGE)).toThrow(expect.objectContaining({ code: "TOO_LARGE" }));
    expect(arena.allocate(PAGE)).toBe(64);
  });

  it("refuses to free twice with BAD_DATA", () => {
    const arena = arenaOf();
    const address = arena.allocate(10);
    arena.free(address);
    expect(() => arena.free(address)).toThrow(expect.objectContaining({ code: "BAD_DATA" }));
  });
});

import { expect, it } from "vitest";
import { measureCeilings } from "./ceilings.ts";

it("ceilings are measured, and within what any machine does: 0.1 to 10,000 GFLOP/s and GB/s", () => {
  const { gflops, gigabytesPerSecond } = measureCeilings("simd");
  for (const value of [gflops, gigabytesPerSecond]) {
    expect(value).toBeGreaterThan(0.1);
    expect(value).toBeLessThan(10_000);
  }
});

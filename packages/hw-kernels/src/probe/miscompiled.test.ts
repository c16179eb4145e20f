// V8 11.3, in Node 20, has relaxed SIMD behind a flag, and its first compiler gets the dot wrong for operands on the stack.
import { setFlagsFromString } from "node:v8";
import { expect, it } from "vitest";
import { probeRelaxed } from "./relaxed.ts";

const isNode20 = process.versions.node.startsWith("20.");

it.skipIf(!isNode20)(
  `relaxed SIMD is refused, with what is wrong, where its dot is miscompiled${isNode20 ? "" : " (skipped: this is not Node 20)"}`,
  () => {
    setFlagsFromString("--experimental-wasm-relaxed-simd");
    setFlagsFromString("--liftoff-only");
    const { available, reason } = probeRelaxed();
    expect(available).toBe(false);
    expect(reason).toMatch(/^its dot is wrong in this engine: .+ where .+ is right$/);
  },
);

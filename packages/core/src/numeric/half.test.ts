import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitsHalf, halfBits, halfValue, LARGEST_HALF, roundToHalf, SMALLEST_NORMAL_HALF, toHalf } from "./half.ts";

describe("float16", () => {
  it("gives every one of the 65,536 patterns back, NaN as NaN", () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = halfValue(bits);
      if (Number.isNaN(value)) expect(halfValue(halfBits(value))).toBeNaN();
      else expect(halfBits(value)).toBe(bits);
    }
  });
  it("rounds to the nearest pattern, halves to even, and past 65520 to infinity", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [halfValue(bits), halfValue(bits + 1)];
      const middle = (low + high) / 2;
      expect(halfBits(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(halfBits(low + (high - low) / 4)).toBe(bits);
      expect(halfBits(-(high - (high - low) / 4))).toBe(0x8000 | (bits + 1));
    }
    expect(halfBits(65519.99)).toBe(0x7bff);
    expect(halfBits(65520)).toBe(0x7c00);
    expect([halfBits(Number.POSITIVE_INFINITY), halfBits(-0)]).toEqual([0x7c00, 0x8000]);
  });
  it("rounds as the stored bits say wherever float16 is precise, and leaves the rest", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (x) => {
        const size = Math.abs(x);
        const precise = size >= SMALLEST_NORMAL_HALF && size <= LARGEST_HALF;
        expect(roundToHalf(x)).toBe(precise ? halfValue(halfBits(x)) : x);
        expect(fitsHalf([x])).toBe(precise || x === 0);
        expect(toHalf(Float32Array.of(x))[0]).toBe(halfBits(x));
      }),
    );
  });
});

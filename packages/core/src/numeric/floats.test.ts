import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tensor } from "../tensor.ts";
import { type FloatType, floatTensor, floatValues } from "./floats.ts";

/** Bits of a significand, the implied one among them, and the smallest exponent of a number with all of them. */
const precision = { float32: [24, -126], float16: [11, -14], bfloat16: [8, -126], float64: [53, -1022] } as const;

describe("float tensors", () => {
  it.each(Object.keys(precision) as FloatType[])(
    "of %s hold every float within half a unit in its last place",
    async (type) => {
      const [bits, least] = precision[type];
      await fc.assert(
        fc.asyncProperty(fc.float({ noNaN: true, min: -65504, max: 65504 }), async (x) => {
          const [found] = await floatValues(floatTensor(type, [1], Float32Array.of(x)));
          const exponent = Math.max(least, x === 0 ? least : Math.floor(Math.log2(Math.abs(x))));
          expect(Math.abs(found - x)).toBeLessThanOrEqual(2 ** (exponent - bits));
        }),
      );
    },
  );
  it("of bfloat16 give all 65,536 patterns back, NaN as NaN", async () => {
    const bits = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
    const values = await floatValues(tensor("bfloat16", [0x10000], bits));
    const back = floatTensor("bfloat16", [0x10000], values).data as Uint16Array;
    back.forEach((found, i) => {
      if (Number.isNaN(values[i])) expect((found & 0x7f80) === 0x7f80 && (found & 0x7f) !== 0).toBe(true);
      else if (found !== i) expect(found).toBe(i);
    });
  });
  it("of bfloat16 round halves to even, and past the largest to infinity", () => {
    const halves = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, -(1 + 2 ** -8), 3.4e38, -3.4e38);
    expect(floatTensor("bfloat16", [5], halves).data).toEqual(Uint16Array.of(0x3f80, 0x3f82, 0xbf80, 0x7f80, 0xff80));
  });
  it("of other types are refused with BAD_TENSOR, as are too few values", async () => {
    const refused = expect.objectContaining({ code: "BAD_TENSOR" });
    await expect(floatValues(tensor("int8", [1], Int8Array.of(1)))).rejects.toEqual(refused);
    expect(() => floatTensor("float16", [2], Float32Array.of(1))).toThrow(refused);
  });
});

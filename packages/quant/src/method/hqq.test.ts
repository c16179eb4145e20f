import { runPass } from "@espalier/core";
import { gaussian, testPass, tinyMlp } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { inBoth, node, outputOf, relativeL2 } from "../../test/runtimes.ts";
import { dequantizeRows } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { hqqRows, shrink } from "../solve/hqq.ts";
import { hqq } from "./hqq.ts";
import { rtn } from "./rtn.ts";

/** Weights with tails, as those of networks have. */
const heavy = (rows: number, columns: number, seed: number) => {
  const [a, b] = [gaussian([rows, columns], seed).data, gaussian([rows, columns], seed + 1).data];
  return a.map((value, i) => value * (1 + 0.8 * Math.abs(b[i]!) ** 3) * 0.02);
};
const absolute = (w: Float32Array, back: Float32Array) =>
  w.reduce((sum, value, i) => sum + Math.abs(value - back[i]!), 0);

describe("hqq", () => {
  testPass(it, () => hqq({ float16Below: 0 }), { ort: node });

  it("QL-05: the mean absolute error of no block is above rounding to nearest's; all together at most 0.98 times, with whole, float and no zero points", () => {
    const [rows, columns, blockSize] = [16, 128, 64];
    const w = heavy(rows, columns, 1);
    for (const bits of [2, 3, 4] as const)
      for (const grid of [
        { symmetric: true },
        { symmetric: false },
        { symmetric: false, zeroPoint: "float" },
      ] as const) {
        const options = { bits, blockSize, ...grid };
        const made = dequantizeRows(hqqRows(w, rows, columns, options));
        const plain = dequantizeRows(quantizeRows(w, rows, columns, options));
        for (let from = 0; from < w.length; from += blockSize) {
          const block = w.subarray(from, from + blockSize);
          const own = absolute(block, made.subarray(from, from + blockSize));
          expect(own).toBeLessThanOrEqual(absolute(block, plain.subarray(from, from + blockSize)) * (1 + 1e-6));
        }
        expect(absolute(w, made)).toBeLessThan(0.98 * absolute(w, plain));
      }
  });

  it("QL-05: the proximal step shrinks towards 0, keeps signs, and leaves nothing of what is small", () => {
    expect(shrink(2, 0.7, 10)).toBeCloseTo(2 - 2 ** -0.3 / 10, 12);
    expect(shrink(-2, 0.7, 10)).toBe(-shrink(2, 0.7, 10));
    expect(shrink(0.01, 0.7, 10)).toBe(0);
    expect(shrink(0, 0.7, 10)).toBe(0);
  });

  it("QL-05: with float zero points, MatMulNBits runs it in both runtimes alike, nearer to float than rtn", async () => {
    const { model, samples } = tinyMlp();
    const options = {
      bits: 4,
      symmetric: false,
      zeroPoint: "float",
      form: "MatMulNBits",
      blockSize: 16,
      float16Below: 0,
    } as const;
    const made = await runPass(model, hqq(options));
    const [first, second] = await inBoth(made, samples[0]!);
    expect(relativeL2(second!.data, first!.data)).toBeLessThan(1e-4);
    const before = await outputOf(node, model, samples[0]!);
    const plain = await outputOf(node, await runPass(model, rtn({ ...options, zeroPoint: "integer" })), samples[0]!);
    expect(relativeL2(first!.data, before.data)).toBeLessThan(relativeL2(plain.data, before.data));
  });

  it("refuses options out of range with BAD_OPTION", () => {
    for (const bad of [{ norm: 0 }, { beta: 0 }, { growth: 0.5 }, { steps: 0 }])
      expect(() => hqq(bad)).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });
});

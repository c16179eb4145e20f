import { type Tensor, tensor } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { compareOutputs } from "./compare-outputs.ts";

const floats = (...values: number[]) => tensor("float32", [values.length], Float32Array.from(values));
const ids = (...values: number[]) => tensor("int64", [values.length], BigInt64Array.from(values, BigInt));

const compare = (...samples: readonly (readonly [Record<string, Tensor>, Record<string, Tensor>])[]) => {
  const comparison = compareOutputs();
  for (const [expected, actual] of samples) comparison.add(expected, actual);
  return comparison.result();
};

const same = (outputs: Record<string, Tensor>) => [outputs, outputs] as const;

describe("compareOutputs", () => {
  it("gives the fidelity of every output and counts floats", () => {
    const { fidelity, counted, silent } = compare(
      [
        { y: floats(3, 4), label: ids(1) },
        { y: floats(3, 4.5), label: ids(2) },
      ],
      [
        { y: floats(0, 1), label: ids(2) },
        { y: floats(0, 1), label: ids(2) },
      ],
    );
    expect(fidelity.y!.relativeL2).toBeCloseTo(0.5 / Math.sqrt(26), 6);
    expect(fidelity.label!.argmaxAgreement).toBe(0.5);
    expect({ counted, silent }).toEqual({ counted: [{ name: "y", float: true }], silent: [] });
  });

  it("counts integers where there are no floats", () => {
    expect(compare(same({ label: ids(1) }), same({ label: ids(2) })).counted).toEqual([
      { name: "label", float: false },
    ]);
  });

  it("does not count a float output that is below 0.001 everywhere", () => {
    const { counted, silent } = compare(
      same({ map: floats(0, 9e-4), y: floats(1) }),
      same({ map: floats(0, 0), y: floats(2) }),
    );
    expect(counted).toEqual([{ name: "y", float: true }]);
    expect(silent).toEqual([{ name: "map", reason: "near zero" }]);
    expect(compare(same({ map: floats(0, 9e-4) }), same({ map: floats(0, 2e-3) })).silent).toEqual([]);
  });

  it("does not count an output that is the same for all samples to 0.001 of its size; one sample tells nothing", () => {
    const [a, b] = [same({ y: floats(1, 0), label: ids(7) }), same({ y: floats(1, 1e-4), label: ids(7) })];
    expect(compare(a, b).silent).toEqual([{ name: "y", reason: "constant" }]);
    expect(compare(a).silent).toEqual([]);
    expect(compare(a, same({ y: floats(1, 0.1), label: ids(7) })).silent).toEqual([]);
    expect(compare(same({ label: ids(7) }), same({ label: ids(7) })).silent).toEqual([
      { name: "label", reason: "constant" },
    ]);
  });

  it("is not constant where lengths differ, nor where strings do", () => {
    expect(compare(same({ y: floats(1) }), same({ y: floats(1, 1) })).silent).toEqual([]);
    const text = (value: string) => tensor("string", [1], [value]);
    expect(compare(same({ t: text("a") }), same({ t: text("b") })).silent).toEqual([]);
    expect(compare(same({ t: text("a") }), same({ t: text("a") })).silent).toHaveLength(1);
  });

  it("refuses a result that lacks an output, by name", () => {
    expect(() => compare([{ y: floats(1) }, {}])).toThrow('the result has no output "y"');
  });
});

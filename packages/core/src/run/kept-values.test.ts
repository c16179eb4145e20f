import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { tensor } from "../tensor.ts";
import { gaussian } from "../testing/index.ts";
import { keptValues } from "./kept-values.ts";

const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith("espalier-values-"));

describe("keptValues", () => {
  it("gives back every sample bit for bit, those in memory, those in a file, and texts; leaves no file", async () => {
    const before = folders();
    const kept = keptValues(100);
    const samples = Array.from({ length: 4 }, (_, i) => ({
      x: gaussian([3, 5], i),
      n: tensor("int64", [2], BigInt64Array.of(BigInt(i), -1n)),
      s: tensor("string", [1], [`text ${i}`]),
      none: tensor("float32", [0], new Float32Array()),
    }));
    for (const values of samples) await kept.add(values);
    const made = folders().filter((name) => !before.includes(name));
    expect(made.length).toBe(1);
    expect(kept.length).toBe(4);
    for (const [i, values] of samples.entries()) expect(kept.at(i)).toEqual(values);
    expect(kept.at(4)).toEqual({});
    expect(kept.types().get("n")).toBe("int64");
    kept.remove();
    expect(existsSync(`${tmpdir()}/${made[0]}`)).toBe(false);
  });
});

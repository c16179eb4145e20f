import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openModel } from "../onnx/open.ts";
import { readOnnx } from "../onnx/read.ts";
import { writeOnnx } from "../onnx/write.ts";
import { type Tensor, tensor } from "../tensor.ts";
import { tinyModels } from "../testing/tiny-models.ts";
import { floatSource, floatValues } from "./floats.ts";

const LARGE = 1024;
const largest = async (weights: Iterable<Tensor>): Promise<Tensor> => {
  const found = [...weights].find(({ type, dims }) => type === "float32" && dims.reduce((a, b) => a * b, 4) >= LARGE);
  if (!found) throw new Error("the model has no large weight");
  return found;
};

it("a float source gives the values of any stretch, from a file and from bytes, and refuses one that is not there", async () => {
  const bytes = await writeOnnx(tinyModels.transformer!().model);
  const folder = mkdtempSync(join(tmpdir(), "espalier-"));
  try {
    const file = join(folder, "m.onnx");
    writeFileSync(file, bytes);
    for (const model of [await openModel(file), readOnnx(bytes)]) {
      const weight = await largest(model.graph.weights.values());
      const values = await floatValues(weight);
      const source = floatSource(weight)!;
      expect(source.length).toBe(values.length);
      const part = new Float32Array(9).subarray(2, 9);
      source.copyTo(part, 5);
      expect(part).toEqual(values.slice(5, 12));
      expect(() => source.copyTo(part, values.length - 3)).toThrow(RangeError);
    }
    const weight = await largest((await openModel(file)).graph.weights.values());
    writeFileSync(file, new Uint8Array(bytes.length + 1));
    expect(() => floatSource(weight)!.copyTo(new Float32Array(1), 0)).toThrow(/changed while it was in use/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it("a tensor in memory, or of another type, has no float source", () => {
  expect(floatSource(tensor("float32", [2], new Float32Array(2)))).toBeUndefined();
});

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { realModels } from "../../test/real-models.ts";
import type { Graph, Model } from "../model.ts";
import { isLazy } from "../tensor.ts";
import { readOnnx } from "./read.ts";
import { onnxBytes, writeOnnx } from "./write.ts";

/** Same content, but no object that the reader made: everything is encoded from plain data. */
const rebuilt = (model: Model): Model => {
  const graph = (g: Graph): Graph => ({
    ...g,
    nodes: g.nodes.map((node) => ({
      ...node,
      attributes: new Map(
        [...node.attributes].map(([name, a]) => [
          name,
          a.kind === "graph" ? { ...a, value: graph(a.value) } : { ...a },
        ]),
      ),
    })),
    inputs: g.inputs.map((info) => ({ ...info })),
    outputs: g.outputs.map((info) => ({ ...info })),
    weights: new Map(
      [...g.weights].map(([name, t]) => [name, isLazy(t) ? { type: t.type, dims: t.dims, data: t.data } : t]),
    ),
  });
  return { ...model, graph: graph(model.graph) };
};

describe.each(Object.entries(realModels))("%s", (_, file) => {
  const bytes = new Uint8Array(readFileSync(file));

  it("untouched gives the same bytes", async () => {
    const model = readOnnx(bytes);
    expect(Buffer.compare(await writeOnnx(model), bytes)).toBe(0);
    expect(onnxBytes(model)).toBe(bytes.length);
  });

  it("encoded again from its messages gives the same bytes", async () => {
    expect(Buffer.compare(await writeOnnx({ ...readOnnx(bytes) }), bytes)).toBe(0);
  });

  it("encoded from plain data gives the same bytes", async () => {
    expect(Buffer.compare(await writeOnnx(rebuilt(readOnnx(bytes))), bytes)).toBe(0);
  });
});

it("an import of the standard domain without a name keeps that form when another domain is added", async () => {
  // irVersion 8, an empty graph, an import with nothing but version 17
  const file = Uint8Array.of(0x08, 8, 0x3a, 0, 0x42, 2, 0x10, 17);
  const model = readOnnx(file);
  const written = await writeOnnx({ ...model, opsets: new Map([...model.opsets, ["a", 1]]) });
  expect([...written]).toEqual([...file, 0x42, 5, 0x0a, 1, 0x61, 0x10, 1]);
});

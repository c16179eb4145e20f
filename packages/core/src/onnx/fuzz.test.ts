import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mutate, mutation } from "../../test/mutate.ts";
import { realModels } from "../../test/real-models.ts";
import { isEspalierError } from "../errors.ts";
import { layers } from "../layers/find-layers.ts";
import { readOnnx } from "./read.ts";
import { writeOnnx } from "./write.ts";

const RUNS = 700;
const MAX_MILLISECONDS = 5_000;

describe.each([
  ["classifier", realModels.classifier],
  ["voice activity", realModels.voiceActivity],
  ["detector", realModels.detector],
] as const)("a damaged %s", (_, path) => {
  const file = new Uint8Array(readFileSync(path));

  it(`is read, searched for layers and written, or refused with an EspalierError, in under 5 s (${RUNS} mutations)`, async () => {
    await fc.assert(
      fc.asyncProperty(mutation(file.length), async (m) => {
        const start = performance.now();
        try {
          const model = readOnnx(mutate(file, m));
          for (const t of model.graph.weights.values()) t.data;
          layers(model);
          await writeOnnx({ ...model });
        } catch (error) {
          if (!isEspalierError(error)) throw error;
        }
        expect(performance.now() - start).toBeLessThan(MAX_MILLISECONDS);
      }),
      { seed: 20_26, numRuns: RUNS },
    );
  });
});

describe("what is no model", () => {
  it.each([
    ["nothing", new Uint8Array()],
    ["a PNG", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52)],
    ["text", new TextEncoder().encode('{ "format": "graph-model" }')],
  ])("%s is refused with BAD_MODEL", (_, bytes) => {
    expect(() => readOnnx(bytes)).toThrow(expect.objectContaining({ code: "BAD_MODEL" }));
  });

  it("graphs nested deeper than any model are refused, with no stack overflow", () => {
    let bytes: number[] = [];
    const field = (number: number, content: number[]) => {
      const length: number[] = [];
      for (let rest = content.length; ; rest >>= 7) {
        length.push(rest > 127 ? (rest & 127) | 128 : rest);
        if (rest <= 127) break;
      }
      return [number * 8 + 2, ...length, ...content];
    };
    for (let depth = 0; depth < 400; depth++) bytes = field(1, field(5, field(6, bytes)));
    expect(() => readOnnx(Uint8Array.from(field(7, bytes)))).toThrow(expect.objectContaining({ code: "BAD_MODEL" }));
  });
});

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { attrs, type Feeds, layers, type Model, readOnnx, tensor, walkGraphs, writeOnnx } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, node, nodeOf, outputOf, outputsOf, relativeL2, runtimes } from "../../test/runtimes.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";

const [TIME, BATCH, IN, HIDDEN] = [6, 2, 20, 16];
const feeds: Feeds = { x: gaussian([TIME, BATCH, IN], 9) };

const recurrent = (op: "LSTM" | "GRU", direction = "forward", attributes = {}): Model => {
  const directions = direction === "bidirectional" ? 2 : 1;
  const gates = (op === "LSTM" ? 4 : 3) * HIDDEN;
  return tinyModel({
    inputs: { x: ["float32", [TIME, BATCH, IN]] },
    outputs: ["y"],
    weights: {
      w: gaussian([directions, gates, IN], 1, 0.2),
      r: gaussian([directions, gates, HIDDEN], 2, 0.2),
      b: gaussian([directions, 2 * gates], 3, 0.2),
      h: gaussian([directions, BATCH, HIDDEN], 4),
    },
    nodes: [
      nodeOf(op, ["x", "w", "r", "b", "", "h"], "y", {
        hidden_size: attrs.int(HIDDEN),
        direction: attrs.string(direction),
        ...attributes,
      }),
    ],
  });
};

const operatorsInside = (model: Model) =>
  [...walkGraphs(model)].flatMap(({ graph }) => graph.nodes).map((n) => n.opType);

describe("dynamicInt8, LSTM", () => {
  it.each([
    ["forward", {}],
    ["reverse", { weightType: "uint8" }],
    ["bidirectional", {}],
    ["bidirectional", { perChannel: false }],
    ["bidirectional", { portable: true }],
  ] as const)("%s, %j: DynamicQuantizeLSTM, within 1.5 % of float in both runtimes", async (direction, options) => {
    const model = recurrent("LSTM", direction);
    const made = await applied(model, dynamicInt8(options));
    expect(operatorsInside(made.model)).toEqual(["DynamicQuantizeLSTM"]);
    expect(made.entries.map(({ action }) => action)).toEqual(["changed", "changed"]);
    const wanted = await outputOf(node, model, feeds);
    for (const [, ort] of runtimes) {
      const error = relativeL2((await outputOf(ort, made.model, feeds)).data, wanted.data);
      expect(error).toBeLessThan("portable" in options ? 0.025 : 0.015);
    }
  });

  it("stays float with one matrix when the other is skipped, and says so", async () => {
    const { model, entries } = await applied(recurrent("LSTM"), dynamicInt8({ skip: "r" }));
    expect(operatorsInside(model)).toContain("LSTM");
    expect(entries).toContainEqual(
      expect.objectContaining({ reason: "only stored in 8 bits: the other matrix of its LSTM stays float" }),
    );
  });

  it("has no form for GRU, which is stored in 8 bits, and says so", async () => {
    const { model, entries } = await applied(recurrent("GRU"), dynamicInt8());
    expect(operatorsInside(model)).toContain("GRU");
    expect(entries.find(({ action }) => action === "note")?.reason).toContain("onnxruntime has no GRU on integers");
  });
});

describe("silero's voice activity detector of four layers of If and LSTM", () => {
  const assets = dirname(createRequire(import.meta.url).resolve("@ricky0123/vad-web"));
  const frame = (seed: number, state: Readonly<Record<"h" | "c", Feeds[string]>>): Feeds => ({
    input: gaussian([1, 1536], seed, 0.1),
    sr: tensor("int64", [], BigInt64Array.of(16000n)),
    ...state,
  });

  /** Probabilities and last state over some frames, the state going from one to the next. */
  const listen = async (ort: (typeof runtimes)[number][1], model: Model) => {
    let state = { h: gaussian([2, 1, 64], 7, 0), c: gaussian([2, 1, 64], 8, 0) };
    const probabilities: number[] = [];
    for (let seed = 1; seed <= 4; seed++) {
      const [probability, h, c] = await outputsOf(ort, model, frame(seed, state));
      probabilities.push(probability!.data[0]!);
      state = { h: h!, c: c! };
    }
    return { probabilities, state: [...state.h.data, ...state.c.data] };
  };

  it("runs all its LSTM on integers, and after 4 frames its state is within 5 % of float's in both runtimes", async () => {
    const model = readOnnx(new Uint8Array(await readFile(join(assets, "silero_vad_legacy.onnx"))));
    const { model: made } = await applied(model, dynamicInt8());
    expect(operatorsInside(made).filter((op) => op === "DynamicQuantizeLSTM")).toHaveLength(8);
    expect(layers(made).filter(({ kind }) => kind === "recurrent")).toHaveLength(0);
    expect((await writeOnnx(made)).length).toBeLessThan((await writeOnnx(model)).length / 2.5);
    const wanted = await listen(node, model);
    for (const [, ort] of runtimes) {
      const { probabilities, state } = await listen(ort, made);
      expect(relativeL2(state, wanted.state)).toBeLessThan(0.05);
      probabilities.forEach((p, i) => {
        expect(Math.abs(p - wanted.probabilities[i]!)).toBeLessThan(0.02);
      });
    }
  });
});

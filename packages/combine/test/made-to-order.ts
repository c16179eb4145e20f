import { definePass, EspalierError, type Model, type Ort, type Tensor } from "@espalier/core";
import * as node from "onnxruntime-node";
import type { PassRecipe } from "../src/recipe/recipe.ts";

/** What a result of the pass `make` is to be. */
export interface Order {
  /** Bytes of padding in its metadata. */
  readonly bytes?: number;
  /** Every weight is multiplied by 1 + error. */
  readonly error?: number;
  /** Milliseconds that a run takes at least. */
  readonly slow?: number;
  /** What the runtime does not know. */
  readonly broken?: boolean;
  /** The pass throws. */
  readonly fails?: boolean;
  /** The pass reports that it left everything alone. */
  readonly idle?: boolean;
}

const scaled = (weight: Tensor, factor: number): Tensor =>
  weight.type === "float32" ? { ...weight, data: (weight.data as Float32Array).map((x) => x * factor) } : weight;

const make = ({ bytes = 0, error = 0, slow = 0, broken = false, fails = false, idle = false }: Order = {}) =>
  definePass({
    name: "test/make",
    stage: "encode",
    apply(model: Model, { report }) {
      if (fails) throw new EspalierError("UNSUPPORTED", "test/make", "layers are of the wrong kind. Take others.");
      if (idle) {
        report({ pass: "test/make", layer: "a", action: "skipped", reason: "its weights are uint8" });
        return model;
      }
      report({ pass: "test/make", layer: "a", action: "changed", form: JSON.stringify({ bytes, error, slow }) });
      const weights = new Map([...model.graph.weights].map(([name, w]) => [name, scaled(w, 1 + error)]));
      const nodes = model.graph.nodes.map((one) => (broken ? { ...one, opType: "Unheard" } : one));
      const metadata = new Map([
        ["padding", "p".repeat(bytes)],
        ["slow", `slow=${slow};`],
      ]);
      return { ...model, metadata, graph: { ...model.graph, weights, nodes } };
    },
  });

/** Loads the module of the pass `make`, by any name but those of real packages. */
export const importModule = async (name: string): Promise<unknown> =>
  name === "@espalier/quant" ? import("@espalier/quant") : { make };

/** A recipe whose result is as ordered. */
export const made = (name: string, order: Order): PassRecipe => ({
  name,
  passes: [{ pass: "test/make", options: { ...order } }],
});

/** A model with so many bytes of padding. */
export const padded = (model: Model, bytes: number): Model => ({
  ...model,
  metadata: new Map([["padding", "p".repeat(bytes)]]),
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** onnxruntime-node whose sessions are as slow as the model's metadata asks. */
export const ort: Ort = {
  ...node,
  InferenceSession: {
    async create(model: Uint8Array, options: object) {
      const session = await node.InferenceSession.create(model, options);
      const slow = Number(/slow=(\d+);/.exec(Buffer.from(model).toString("latin1"))?.[1] ?? 0);
      return {
        inputNames: session.inputNames,
        outputNames: session.outputNames,
        async run(feeds: never, fetches: string[]) {
          if (slow > 0) await sleep(slow);
          return session.run(feeds, fetches);
        },
        release: () => session.release(),
      };
    },
  },
};

import { type Feeds, type Model, openSession, type ReportEntry, runPass, tensor, writeOnnx } from "@espalier/core";
import { tinyModels } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { type Stack, stack } from "../../test/stack.ts";
import { brokenMasks, magnitude, masksOf, shortGpt } from "../index.ts";

web.env.wasm.numThreads = 1;

const shortened = async ({ model, samples }: Stack, drop: number) => {
  const entries: ReportEntry[] = [];
  const made = await runPass(model, shortGpt({ drop }), {
    ort,
    calibration: () => samples,
    report: (entry) => entries.push(entry),
  });
  return { made, entries };
};

const logits = async (runtime: typeof ort | typeof web, model: Model, samples: readonly Feeds[]) => {
  const session = await openSession(runtime, model);
  const rows: number[] = [];
  for (const feeds of samples) rows.push(...((await session.run(feeds, ["logits"])).logits.data as Float32Array));
  await session.release();
  return rows;
};

/** Names of the inputs and outputs of a model. */
const signature = ({ graph: { inputs, outputs } }: Model) => [...inputs, ...outputs].map(({ name }) => name);

const errorOf = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0);

describe("shortGpt", () => {
  it("PL-06: a block whose output projection is zero has influence 0, and the model without it gives the same bits", async () => {
    const given = stack({ sizes: [0.7, 0.5, 0, 0.6, 0.4] });
    const { made, entries } = await shortened(given, 1);
    expect(entries.find(({ action }) => action === "changed")?.form).toBe("gone with block 2, influence 0.0000");
    for (const runtime of [ort, web])
      expect(await logits(runtime, made, given.samples)).toEqual(await logits(runtime, given.model, given.samples));
  });

  it("PL-06: a block takes its own past and present with it, others keep their names, and the report says so", async () => {
    const given = stack({ sizes: [0.7, 0.5, 0, 0.6, 0] });
    const { made, entries } = await shortened(given, 2);
    const gone = ["past.2", "past.4", "present.2", "present.4"];
    expect(signature(made)).toEqual(signature(given.model).filter((name) => !gone.includes(name)));
    const notes = entries.filter(({ action }) => action === "note");
    expect(notes.map(({ layer }) => layer)).toEqual(["block 2", "block 4"]);
    expect(notes[0].reason).toContain('"past.2", "present.2"');
    expect([...made.graph.weights.keys()].filter((name) => /^(k|up|down)[24]$/.test(name))).toEqual([]);
  });

  it("PL-06: the block of least influence does less harm than the mean of the others in 80 % of 20 nets, and is the one that does least in half", async () => {
    let [better, best] = [0, 0];
    const trials = 20;
    for (let seed = 1; seed <= trials; seed++) {
      const given = stack({ seed, blocks: 4 });
      const before = await logits(ort, given.model, given.samples);
      const harm: number[] = [];
      const zeros = tensor("float32", [48, 24], new Float32Array(48 * 24));
      for (let i = 0; i < 4; i++) {
        const weights = new Map(given.model.graph.weights).set(`down${i}`, zeros);
        const model = { ...given.model, graph: { ...given.model.graph, weights } };
        harm.push(errorOf(await logits(ort, model, given.samples), before));
      }
      const { entries } = await shortened(given, 1);
      const gone = Number(/block (\d)/.exec(entries.find(({ action }) => action === "changed")!.form!)![1]);
      const others = harm.filter((_, i) => i !== gone);
      if (harm[gone] < others.reduce((a, b) => a + b) / others.length) better++;
      if (harm[gone] === Math.min(...harm)) best++;
    }
    expect(better).toBeGreaterThanOrEqual(0.8 * trials);
    expect(best).toBeGreaterThanOrEqual(0.5 * trials);
  });

  it("gives the same bytes each time, and forgets the masks of weights that are gone", async () => {
    const given = stack();
    const masked = { ...given, model: await runPass(given.model, magnitude({ sparsity: 0.5 })) };
    const [a, b] = [await shortened(masked, 2), await shortened(masked, 2)];
    expect(await writeOnnx(a.made)).toEqual(await writeOnnx(b.made));
    expect(masksOf(a.made).size).toBeLessThan(masksOf(masked.model).size);
    expect(await brokenMasks(a.made)).toEqual([]);
  });

  it("leaves a block whose past other parts of the model read, with the reason", async () => {
    const given = stack({ sizes: [0, 0.5, 0.3, 0.6, 0.4], lengthOfFirst: true });
    const { made, entries } = await shortened(given, 1);
    expect(signature(made)).toContain("present.0");
    expect(signature(made)).not.toContain("present.2");
    const reason = entries.find(({ layer, action }) => layer === "block 0" && action === "skipped")?.reason;
    expect(reason).toBe('it makes "present.0", an output of the model that no input of its own belongs to');
  });

  it("refuses to drop all blocks, blocks of a model without any, and numbers that are no counts", async () => {
    await expect(shortened(stack(), 5)).rejects.toMatchObject({ code: "BAD_OPTION" });
    await expect(shortened(tinyModels.mlp(), 1)).rejects.toMatchObject({ code: "BAD_OPTION" });
    for (const drop of [0, 1.5, -1]) expect(() => shortGpt({ drop })).toThrow(/drop is/);
    await expect(runPass(stack().model, shortGpt())).rejects.toMatchObject({ code: "MISSING_NEED" });
  });
});

import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { runPass } from "../chain.ts";
import type { ReportEntry } from "../pass.ts";
import { openSession } from "../run/session.ts";
import { fineTune } from "./fine-tune.ts";
import { tf } from "./testing/check-operator.ts";
import { CLASSES, clouds, toyNet } from "./testing/toy.ts";

const accuracy = async (model: Awaited<ReturnType<typeof runPass>>) => {
  const session = await openSession(ort, model);
  let [right, all] = [0, 0];
  for (const { feeds, labels } of clouds(8, 8, 77)({ epoch: 0, rng: { below: () => 0 } as never }) as Iterable<never>) {
    const { y } = await session.run(feeds);
    (labels as { data: Int32Array }).data.forEach((label, i) => {
      const scores = Array.from((y.data as Float32Array).slice(i * CLASSES, (i + 1) * CLASSES));
      if (scores.indexOf(Math.max(...scores)) === label) right++;
      all++;
    });
  }
  await session.release();
  return right / all;
};

describe("fineTune", () => {
  it("trains on a context's data, and onnxruntime runs what it makes: from below 60 % to above 90 %", async () => {
    const model = toyNet();
    expect(await accuracy(model)).toBeLessThan(0.6);
    const entries: ReportEntry[] = [];
    const made = await runPass(model, fineTune({ epochs: 10, optimizer: { kind: "adam", learningRate: 0.02 } }), {
      tf,
      training: clouds(),
      report: (entry) => void entries.push(entry),
    });
    expect(await accuracy(made)).toBeGreaterThan(0.9);
    expect(entries.map(({ layer }) => layer)).toEqual(["one.weight", "one.bias", "two.weight", "two.bias", "(all)"]);
  });

  it("trains only what is named", async () => {
    const model = toyNet();
    const made = await runPass(model, fineTune({ train: "two*" }), { tf, training: clouds() });
    const same = (key: string) =>
      made.graph.weights.get(key)?.data.join() === model.graph.weights.get(key)?.data.join();
    expect(["one.weight", "one.bias", "two.weight", "two.bias"].map(same)).toEqual([true, true, false, false]);
  });

  it("says what is missing: data, TensorFlow.js, a backend", async () => {
    const code = { code: "MISSING_NEED" };
    await expect(runPass(toyNet(), fineTune(), { tf })).rejects.toMatchObject(code);
    await expect(runPass(toyNet(), fineTune(), { training: clouds() })).rejects.toMatchObject(code);
    await expect(runPass(toyNet(), fineTune({ backend: "abacus" }), { tf, training: clouds() })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });
});

import { describe, expect, it } from "vitest";
import { makeNode } from "../attrs.ts";
import { isEspalierError } from "../errors.ts";
import type { Training } from "../pass.ts";
import { tensor } from "../tensor.ts";
import { gaussian, tinyModel } from "../testing/tiny-model.ts";
import { batchesOf } from "./batches.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { fit } from "./fit.ts";
import type { FitOptions } from "./fit-options.ts";
import { tf } from "./testing/check-operator.ts";
import { clouds, INPUTS, toyNet } from "./testing/toy.ts";
import { trainable } from "./trainable.ts";

const SGD = { kind: "sgd", learningRate: 0.1, momentum: 0.9 } as const;

/** Weights after training a fresh net. */
const trained = async (options: FitOptions, model = toyNet()) => {
  const net = await trainable(tf, model);
  try {
    const result = await fit(net, options);
    const weights = Object.fromEntries([...net.weights].map(([key, w]) => [key, Array.from(w.dataSync())]));
    return { result, weights };
  } finally {
    net.dispose();
  }
};

const errorOf = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!isEspalierError(error)) throw new Error(`expected an EspalierError, got ${String(error)}`);
  return error;
};

describe("fit", () => {
  for (const optimizer of [
    { kind: "sgd", learningRate: 0.1 },
    { kind: "sgd", learningRate: 0.05, momentum: 0.9, nesterov: true },
    { kind: "adam", learningRate: 0.02, schedule: { kind: "cosine", warmUp: 0.1 } },
    { kind: "adamw", learningRate: 0.02, weightDecay: 0.01 },
    { kind: "rmsprop", learningRate: 0.01 },
    { kind: "tfjs", learningRate: 0.1, make: (t: typeof tf, rate: number) => t.train.adagrad(rate) },
  ] as const)
    it(`halves the loss of three clouds in 10 epochs with ${optimizer.kind}`, async () => {
      const { result } = await trained({ training: clouds(), epochs: 10, optimizer });
      expect(result.history[9].loss).toBeLessThan(result.history[0].loss / 2);
      expect(result.steps).toBe(60);
    });

  it("gives the same weights for the same seed, others for another", async () => {
    const options = { training: clouds(), epochs: 2, optimizer: SGD };
    const [a, b, c] = [await trained(options), await trained(options), await trained({ ...options, seed: 1 })];
    expect(a.weights).toEqual(b.weights);
    expect(a.weights).not.toEqual(c.weights);
  });

  for (const kind of ["sgd", "adam"] as const)
    it(`gives the same bits when it goes on from a checkpoint in the middle of an epoch (${kind})`, async () => {
      const optimizer = { kind, learningRate: 0.01, momentum: 0.9, schedule: "cosine" } as const;
      const options: FitOptions = { training: clouds(), epochs: 3, optimizer };
      const checkpoints: Checkpoint[] = [];
      const whole = await trained({ ...options, checkpointEvery: 4, checkpoint: (c) => void checkpoints.push(c) });
      const middle = checkpoints.find(({ step, batch }) => step === 8 && batch > 0);
      expect(middle).toBeDefined();
      const rest = await trained({ ...options, resume: structuredClone(middle) });
      expect(rest.weights).toEqual(whole.weights);
      expect(rest.result.history).toEqual(whole.result.history);
    });

  it("stops when told to, with a checkpoint to go on from", async () => {
    const stop = new AbortController();
    const checkpoints: Checkpoint[] = [];
    const options: FitOptions = { training: clouds(), epochs: 2, optimizer: SGD };
    const error = await errorOf(
      trained({
        ...options,
        signal: stop.signal,
        checkpoint: (c) => void checkpoints.push(c),
        progress: (event) => {
          if (event.kind === "step" && event.done === 3) stop.abort();
        },
      }),
    );
    expect(error.code).toBe("ABORTED");
    expect(checkpoints.at(-1)?.step).toBe(3);
    const resumed = await trained({ ...options, resume: checkpoints.at(-1) });
    expect(resumed.weights).toEqual((await trained(options)).weights);
  });

  it("leaves no tensor over: as many after 1,000 steps as after 10", async () => {
    const counts: number[] = [];
    const before = tf.memory().numTensors;
    await trained({
      training: clouds(100, 2),
      epochs: 10,
      optimizer: { kind: "adam", learningRate: 1e-3 },
      keepZeros: ["one.weight"],
      clipNorm: 1,
      method: { after: ({ step }) => void (step % 10 === 9 && counts.push(tf.memory().numTensors)) },
    });
    expect(counts).toHaveLength(100);
    expect(new Set(counts).size).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("keeps zeros at zero, and what the optimizer remembers of them", async () => {
    const model = toyNet();
    const w = Float32Array.from(model.graph.weights.get("one.weight")?.data as Float32Array, (v, i) => (i % 3 ? v : 0));
    const weights = new Map(model.graph.weights).set("one.weight", tensor("float32", [8, INPUTS], w));
    const pruned = { ...model, graph: { ...model.graph, weights } };
    let last: Checkpoint | undefined;
    const options: FitOptions = {
      training: clouds(),
      epochs: 2,
      optimizer: { ...SGD, weightDecay: 0.01 },
      keepZeros: ["one.weight"],
      checkpoint: (c) => {
        last = c;
      },
    };
    const { weights: after } = await trained(options, pruned);
    const zeros = (values: ArrayLike<number>) => Array.from(values).flatMap((v, i) => (v === 0 ? [i] : []));
    expect(zeros(after["one.weight"])).toEqual(zeros(w));
    expect(zeros(last?.optimizer.get("0/one.weight")?.data as Float32Array)).toEqual(zeros(w));
  });

  it("averages the gradients of accumulated batches: two of 4 as one of 8, within 1e-6", async () => {
    const options = { epochs: 2, optimizer: { kind: "sgd", learningRate: 0.1 } } as const;
    const still =
      (size: number): Training =>
      () =>
        clouds(6, 8)({ epoch: 0, rng: { below: () => 0 } as never }) && halves(size);
    const halves = (size: number) => {
      const all = Array.from(
        clouds(6, 8)({ epoch: 0, rng: { below: (n: number) => n - 1 } as never }) as Iterable<never>,
      );
      return size === 8 ? all : batchesOf(() => all, { epoch: 0, rng: {} as never, batchSize: size });
    };
    const whole = await trained({ ...options, training: still(8) });
    const parts = await trained({ ...options, training: still(4), accumulate: 2 });
    expect(parts.result.steps).toBe(whole.result.steps);
    for (const [key, values] of Object.entries(whole.weights))
      for (const [i, value] of values.entries()) expect(Math.abs(parts.weights[key][i] - value)).toBeLessThan(1e-6);
  });

  it("says at which step and layer the loss became no number, and keeps the best epoch before", async () => {
    const wild = { kind: "sgd", learningRate: 1e20 } as const;
    const error = await errorOf(trained({ training: clouds(), optimizer: wild }));
    expect(error.code).toBe("DIVERGED");
    expect(error.message).toMatch(/at step \d+.*(layer|weight) "(one|two|relu)/);
    const best: number[][] = [];
    const { result, weights } = await trained({
      training: clouds(),
      epochs: 3,
      optimizer: { kind: "sgd", learningRate: 0.01, schedule: ({ epoch }) => (epoch === 1 ? 1e22 : 1) },
      checkpoint: (c) => void best.push(Array.from(c.weights.get("two.weight")?.data as Float32Array)),
    });
    expect(result.diverged?.step).toBeGreaterThan(6);
    expect(result.epoch).toBe(0);
    expect(weights["two.weight"]).toEqual(best[0]);
  });

  it("stops early and gives the best epoch back", async () => {
    const { result } = await trained({
      training: clouds(),
      validation: clouds(2, 8, 9),
      epochs: 20,
      patience: 2,
      optimizer: { kind: "sgd", learningRate: 0.3, schedule: ({ epoch }) => (epoch < 3 ? 1 : -1) },
    });
    expect(result.stoppedEarly).toBe(true);
    expect(result.history).toHaveLength(result.epoch + 3);
    const scores = result.history.map(({ validation = Number.NaN }) => validation);
    expect(Math.min(...scores)).toBe(scores[result.epoch]);
  });

  it("clips the norm of all gradients together", async () => {
    const options = { training: clouds(1), optimizer: { kind: "sgd", learningRate: 1 } } as const;
    const start = await trained({ ...options, optimizer: { kind: "sgd", learningRate: 1e-30 } });
    const { weights } = await trained({ ...options, clipNorm: 0.01 });
    const moved = Object.entries(weights).flatMap(([key, values]) => values.map((v, i) => v - start.weights[key][i]));
    expect(Math.hypot(...moved)).toBeCloseTo(0.01, 5);
  });

  it("updates the running statistics of BatchNormalization, or leaves them frozen", async () => {
    const model = tinyModel({
      inputs: { x: ["float32", ["N", INPUTS]] },
      outputs: ["y"],
      weights: {
        w: gaussian([INPUTS, 3], 1),
        gamma: tensor("float32", [3], Float32Array.of(1, 1, 1)),
        beta: tensor("float32", [3], new Float32Array(3)),
        mean: tensor("float32", [3], new Float32Array(3)),
        variance: tensor("float32", [3], Float32Array.of(1, 1, 1)),
      },
      nodes: [
        makeNode("MatMul", ["x", "w"], ["h"]),
        makeNode("BatchNormalization", ["h", "gamma", "beta", "mean", "variance"], ["y"]),
      ],
    });
    for (const statistics of ["batch", "frozen"] as const) {
      const net = await trainable(tf, model, { statistics });
      expect([...net.weights.keys()]).toEqual(["w", "gamma", "beta"]);
      await fit(net, { training: clouds(), optimizer: SGD });
      const mean = (await net.write()).graph.weights.get("mean")?.data as Float32Array;
      expect(mean.some((value) => value !== 0)).toBe(statistics === "batch");
      net.dispose();
    }
  });

  it("refuses empty data, labels out of range, labels that don't match, unknown losses", async () => {
    const one =
      (labels: unknown): Training =>
      () => [{ feeds: { x: gaussian([2, INPUTS], 1) }, labels: labels as never }];
    const code = async (options: FitOptions) => (await errorOf(trained(options))).code;
    expect(await code({ training: () => [] })).toBe("BAD_DATA");
    expect(await code({ training: clouds(1, 8), batchSize: 9 })).toBe("BAD_DATA");
    expect(await code({ training: one(tensor("int32", [2], Int32Array.of(0, 3))) })).toBe("BAD_DATA");
    expect(await code({ training: one(tensor("float32", [2], Float32Array.of(0, 1))) })).toBe("BAD_DATA");
    expect(await code({ training: one(tensor("int32", [1], Int32Array.of(0))) })).toBe("BAD_DATA");
    expect(await code({ training: one(undefined) })).toBe("BAD_DATA");
    expect(await code({ training: clouds(), loss: "hinge" as never })).toBe("BAD_OPTION");
    expect(await code({ training: clouds(), epochs: 0 })).toBe("BAD_OPTION");
    expect(await code({ training: clouds(), optimizer: { kind: "sgd", learningRate: -1 } })).toBe("BAD_OPTION");
  });
});

describe("batchesOf", () => {
  it("cuts and joins what comes into batches of one size, in order, and drops the rest", async () => {
    const row = (from: number, count: number) => ({
      feeds: {
        x: tensor(
          "float32",
          [count, 1],
          Float32Array.from({ length: count }, (_, i) => from + i),
        ),
      },
      labels: tensor(
        "int32",
        [count],
        Int32Array.from({ length: count }, (_, i) => from + i),
      ),
    });
    const given: Training = () => [row(0, 2), row(2, 1), row(3, 7), row(10, 1)];
    const seen: number[][] = [];
    for await (const { feeds, labels } of batchesOf(given, { epoch: 0, rng: {} as never, batchSize: 3 })) {
      expect(Array.from(feeds.x.data as Float32Array)).toEqual(
        Array.from((labels as typeof feeds.x).data as Int32Array),
      );
      seen.push(Array.from(feeds.x.data as Float32Array));
    }
    expect(seen).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 8],
    ]);
  });
});

import {
  attrs,
  countMacs,
  type Feeds,
  type Group,
  layers,
  type Model,
  makeNode,
  mask,
  measureSize,
  openSession,
  type ReportEntry,
  runPass,
  type Tensor,
  tensor,
} from "@espalier/core";
import { matrix } from "@espalier/core/linalg";
import { expectClose, gaussian, testPass, tinyModel } from "@espalier/core/testing";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { makeUp, outputErrorScore, type StructuredOptions, structured, type UnitGroup } from "../index.ts";

const plain = { score: "l1", scope: "local", reconstruct: false, multiple: 1 } as const;

describe("structured, with data", () => testPass(it, () => structured({ ratio: 0.15, multiple: 1 }), { ort }));
describe("structured, plain L1", () => testPass(it, () => structured({ ...plain, ratio: 0.15 }), { ort }));

/** 3 × 3, Relu, 3 × 3, over [1, 3, 8, 8]; the first weight may be given. */
const twoConvolutions = (width: number, first: Tensor = gaussian([width, 3, 3, 3], 1, 0.3)): Model => {
  const window = { kernel_shape: attrs.ints([3, 3]), pads: attrs.ints([1, 1, 1, 1]) };
  return tinyModel({
    inputs: { x: ["float32", ["n", 3, 8, 8]] },
    outputs: ["y"],
    weights: { w1: first, b1: gaussian([width], 2, 0.1), w2: gaussian([5, width, 3, 3], 3, 0.2) },
    nodes: [
      makeNode("Conv", ["x", "w1", "b1"], ["c1"], window, { name: "first" }),
      makeNode("Relu", ["c1"], ["r1"], {}, { name: "relu" }),
      makeNode("Conv", ["r1", "w2"], ["y"], window, { name: "second" }),
    ],
  });
};
const samples: Feeds[] = [1, 2, 3, 4].map((seed) => ({ x: gaussian([6, 3, 8, 8], 50 + seed) }));
const fresh: Feeds = { x: gaussian([4, 3, 8, 8], 77) };
const context = { ort, calibration: () => samples };

const outputOf = async (model: Model): Promise<Tensor> => {
  const session = await openSession(ort, model, { threads: 1 });
  const { y } = await session.run(fresh);
  await session.release();
  return y;
};

const relativeError = (found: Tensor, expected: Tensor): number => {
  const [a, b] = [found.data as Float32Array, expected.data as Float32Array];
  const squares = (of: (i: number) => number) => b.reduce((sum, _, i) => sum + of(i) ** 2, 0);
  return Math.sqrt(squares((i) => a[i] - b[i]) / squares((i) => b[i]));
};

const macsOf = async (model: Model) => (await countMacs(model, { ort, feeds: samples[0] })).total;

describe("structured", () => {
  it("P-02: plain L1 removes the filters with the smallest sums, and gives what the masked model gives within 1e-5", async () => {
    const model = twoConvolutions(16);
    const small = await runPass(model, structured({ ...plain, ratio: 0.25 }), context);
    const { data } = model.graph.weights.get("w1")!;
    const sums = Array.from({ length: 16 }, (_, j) =>
      (data as Float32Array).subarray(j * 27, (j + 1) * 27).reduce((sum, v) => sum + Math.abs(v), 0),
    );
    const order = sums.map((_, j) => j).sort((a, b) => sums[a] - sums[b]);
    const masked = await mask(model, new Map([["first", order.slice(0, 4)]]));
    expect(layers(small).map(({ weight }) => weight.dims)).toEqual([
      [12, 3, 3, 3],
      [5, 12, 3, 3],
    ]);
    expectClose(await outputOf(small), await outputOf(masked), 1e-5);
  });

  it("P-02: removing m of n filters saves m / n of the work of the layer and of the next, exactly", async () => {
    const model = twoConvolutions(16);
    const small = await runPass(model, structured({ ...plain, ratio: 0.25 }), context);
    const [before, after] = [await macsOf(model), await macsOf(small)];
    expect(after / before).toBe(12 / 16);
    expect(measureSize(small).bytes).toBeLessThan(measureSize(model).bytes);
  });

  it("of two channels that are the same, loses one without a trace: output within 1e-3", async () => {
    const first = gaussian([16, 3, 3, 3], 1, 0.3);
    first.data.copyWithin(27 * 9, 27 * 4, 27 * 5);
    const model = twoConvolutions(16, first);
    const b1 = (model.graph.weights.get("b1") as Tensor<"float32">).data;
    b1[9] = b1[4];
    const small = await runPass(model, structured({ ratio: 1 / 16, multiple: 1 }), context);
    expect(layers(small)[0].weight.dims[0]).toBe(15);
    expect(relativeError(await outputOf(small), await outputOf(model))).toBeLessThan(1e-3);
  });

  it("does at most half the damage of plain L1 at 10 and 20 %, on channels that resemble each other", async () => {
    // 16 filters in the span of 6, and a little of their own
    const [basis, mix, own] = [gaussian([6, 27], 5), gaussian([16, 6], 6, 0.2), gaussian([16, 27], 7, 0.01)];
    const values = own.data.map((value, at) => {
      const [j, c] = [Math.floor(at / 27), at % 27];
      return basis.data.reduce(
        (sum, _, i) => (i % 27 === c ? sum + basis.data[i] * mix.data[j * 6 + Math.floor(i / 27)] : sum),
        value,
      );
    });
    const model = twoConvolutions(16, tensor("float32", [16, 3, 3, 3], values));
    const expected = await outputOf(model);
    for (const ratio of [0.1, 0.2]) {
      const [ours, l1] = [structured({ ratio, multiple: 1 }), structured({ ...plain, ratio })];
      const error = relativeError(await outputOf(await runPass(model, ours, context)), expected);
      const other = relativeError(await outputOf(await runPass(model, l1, context)), expected);
      expect(error / other).toBeLessThanOrEqual(0.5);
    }
  });

  it.each([1, 4, 8])("keeps counts that are multiples of %d", async (multiple) => {
    const small = await runPass(twoConvolutions(24), structured({ ratio: 0.4, multiple }), context);
    const kept = layers(small)[0].weight.dims[0];
    expect(kept % multiple).toBe(0);
    expect(kept).toBeLessThanOrEqual(24 * 0.6);
  });

  it("gives the model itself at ratio 0", async () => {
    const model = twoConvolutions(8);
    expect(await runPass(model, structured({ ratio: 0 }), context)).toBe(model);
  });

  const refused: [string, StructuredOptions][] = [
    ["a ratio of 1", { ratio: 1 }],
    ["a negative ratio", { ratio: -0.1 }],
    ["a multiple of 0", { multiple: 0 }],
    ["an unknown score", { score: "best" as "l1" }],
  ];
  it.each(refused)("refuses %s with BAD_OPTION", (_, options) => {
    expect(() => structured(options)).toThrowError(expect.objectContaining({ code: "BAD_OPTION" }));
  });

  it.each(["local", "global", "scan"] as const)(
    "refuses a ratio that would empty the group, scope %s, with BAD_OPTION",
    async (scope) => {
      const pass = structured({ ratio: 0.97, scope, multiple: 1 });
      let runs = 0;
      const calibration = () => {
        runs++;
        return samples;
      };
      const made = runPass(twoConvolutions(8), pass, { ort, calibration });
      await expect(made).rejects.toMatchObject({ code: "BAD_OPTION" });
      // one sample for lengths, no statistics
      expect(runs).toBe(1);
    },
  );

  it("refuses weights that are not finite with BAD_OPTION", async () => {
    const first = gaussian([8, 3, 3, 3], 1);
    first.data[40] = Number.NaN;
    const pass = structured({ ...plain, ratio: 0.1 });
    await expect(runPass(twoConvolutions(8, first), pass, context)).rejects.toMatchObject({ code: "BAD_OPTION" });
  });

  it("leaves what skip names, and says so", async () => {
    const entries: ReportEntry[] = [];
    const model = twoConvolutions(8);
    const pass = structured({ ratio: 0.2, multiple: 1, skip: "first" });
    expect(await runPass(model, pass, { ...context, report: (entry) => entries.push(entry) })).toBe(model);
    expect(entries).toContainEqual(expect.objectContaining({ layer: "first", reason: "named by skip" }));
  });
});

/** Rows of correlated numbers, their moments, and a weight that takes them in. */
const consumerOf = (units: number) => {
  const [mix, raw] = [gaussian([units, units], 8), gaussian([200, units], 9)];
  const x = matrix(200, units);
  for (let r = 0; r < 200; r++)
    for (let c = 0; c < units; c++) {
      let sum = 0.5;
      for (let k = 0; k < units; k++) sum += raw.data[r * units + k] * mix.data[k * units + c];
      x.data[r * units + c] = sum;
    }
  const mean = Float64Array.from({ length: units }, (_, c) => {
    let sum = 0;
    for (let r = 0; r < 200; r++) sum += x.data[r * units + c];
    return sum / 200;
  });
  const gram = matrix(units, units);
  for (let i = 0; i < units; i++)
    for (let j = 0; j < units; j++)
      for (let r = 0; r < 200; r++)
        gram.data[i * units + j] += ((x.data[r * units + i] - mean[i]) * (x.data[r * units + j] - mean[j])) / 200;
  return { x, mean, gram, w: gaussian([3, units], 10).data };
};

/** E ‖W x - W' x - shift‖² over the rows. */
const errorOf = (x: ReturnType<typeof matrix>, w: Float32Array, other: Float32Array, shift: ArrayLike<number>) => {
  let sum = 0;
  for (let r = 0; r < x.rows; r++)
    for (let o = 0; o < 3; o++) {
      let y = -shift[o];
      for (let c = 0; c < x.columns; c++)
        y += (w[o * x.columns + c] - other[o * x.columns + c]) * x.data[r * x.columns + c];
      sum += y * y;
    }
  return sum / x.rows;
};

describe("structured, layer after layer", () => {
  /** Four convolutions in a row, each losing channels. */
  const deep = (): Model => {
    const window = { kernel_shape: attrs.ints([3, 3]), pads: attrs.ints([1, 1, 1, 1]) };
    const widths = [3, 16, 16, 16, 4];
    const weights = Object.fromEntries(
      [0, 1, 2, 3].map((i) => [`w${i}`, gaussian([widths[i + 1], widths[i], 3, 3], 20 + i, 0.15)]),
    );
    const nodes = [0, 1, 2, 3].flatMap((i) => [
      makeNode("Conv", [i === 0 ? "x" : `r${i - 1}`, `w${i}`], [i === 3 ? "y" : `c${i}`], window, { name: `conv${i}` }),
      ...(i < 3 ? [makeNode("Relu", [`c${i}`], [`r${i}`], {}, { name: `relu${i}` })] : []),
    ]);
    return tinyModel({ inputs: { x: ["float32", ["n", 3, 8, 8]] }, outputs: ["y"], weights, nodes });
  };

  it("errs 2 % less at least on fresh data than when all layers are solved on what the original model gives", async () => {
    const expected = await outputOf(deep());
    const many = [1, 2, 3, 4, 5, 6].map((seed): Feeds => ({ x: gaussian([16, 3, 8, 8], 50 + seed) }));
    const errorOf = async (sequential: boolean) => {
      const pass = structured({ ratio: 0.7, multiple: 1, scope: "local", sequential });
      return relativeError(await outputOf(await runPass(deep(), pass, { ort, calibration: () => many })), expected);
    };
    expect((await errorOf(true)) / (await errorOf(false))).toBeLessThan(0.98);
  });
});

describe("makeUp", () => {
  it("finds the least squares of the rows: no other weights and shift come nearer, to 1e-9 of the error", () => {
    const { x, mean, gram, w } = consumerOf(6);
    const { w: made, shift } = makeUp(w, 3, gram, mean, new Set([1, 4]), 0);
    const least = errorOf(x, w, made, shift);
    expect([...made.keys()].filter((at) => [1, 4].includes(at % 6)).every((at) => made[at] === 0)).toBe(true);
    for (const [at, value] of made.entries()) {
      if ([1, 4].includes(at % 6)) continue;
      for (const step of [-0.01, 0.01])
        expect(
          errorOf(
            x,
            w,
            made.map((v, i) => (i === at ? value + step : v)),
            shift,
          ),
        ).toBeGreaterThan(least * (1 - 1e-9));
    }
    for (const o of [0, 1, 2])
      expect(
        errorOf(
          x,
          w,
          made,
          shift.map((v, i) => (i === o ? v + 0.01 : v)),
        ),
      ).toBeGreaterThan(least);
    const zeroed = w.map((v, at) => ([1, 4].includes(at % 6) ? 0 : v));
    expect(least).toBeLessThan(errorOf(x, w, zeroed, [0, 0, 0]));
  });
});

describe("outputErrorScore", () => {
  it("P-08: by the Gram matrix, first costs are the errors of removing one unit alone, made up for, within 2 %", () => {
    const { x, mean, gram, w } = consumerOf(8);
    const units = Array.from({ length: 8 }, (_, unit) => [unit]);
    const group: UnitGroup = {
      group: { size: 8 } as Group,
      slices: [],
      consumers: [{ name: "c", rows: 3, columns: 8, w, units, gram, mean }],
    };
    const found = outputErrorScore(group);
    const energy = errorOf(
      x,
      w,
      new Float32Array(24),
      [0, 1, 2].map((o) => mean.reduce((s, m, c) => s + m * w[o * 8 + c], 0)),
    );
    const alone = units.map(([unit]) => {
      const made = makeUp(w, 3, gram, mean, new Set([unit]), 0);
      return errorOf(x, w, made.w, made.shift) / energy;
    });
    const best = alone.indexOf(Math.min(...alone));
    expect(found.order[0]).toBe(best);
    expect(Math.abs(found.costs[0] / alone[best] - 1)).toBeLessThan(0.02);
  });
});

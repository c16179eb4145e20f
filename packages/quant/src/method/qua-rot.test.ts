import { attrs, createRng, type Model, makeNode, runPass, tensor } from "@espalier/core";
import { matmul, matrix } from "@espalier/core/linalg";
import { expectClose, gaussian, testPass, tinyModel, tinyTransformer } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { applied, node, nodeOf, operatorsOf, outputOf, relativeL2, web } from "../../test/runtimes.ts";
import { kurtosis } from "../grid/balance.ts";
import { dequantizeRows } from "../grid/grid.ts";
import { quantizeRows } from "../grid/quantize-rows.ts";
import { hadamard, rotation } from "../solve/rotation.ts";
import { quaRot } from "./qua-rot.ts";

const [ROWS, WIDTH, INNER] = [40, 24, 64];
const scalar = (value: number) => tensor("float32", [], Float32Array.of(value));
const outlying = (dims: readonly number[], seed: number) => {
  const w = gaussian(dims, seed, 0.3);
  for (let i = 3; i < w.data.length; i += WIDTH) w.data[i]! *= 25;
  return w;
};

/** A table, two blocks of RMS norm, gated feed-forward layer and residual, a last norm, and a head that may be the table. */
const decoder = (tied: boolean): Model => {
  const norm = (name: string, x: string) => [
    nodeOf("Pow", [x, "two"], `${name}_p`),
    makeNode("ReduceMean", [`${name}_p`], [`${name}_m`], { axes: attrs.ints([-1]) }),
    nodeOf("Add", [`${name}_m`, "epsilon"], `${name}_e`),
    nodeOf("Sqrt", [`${name}_e`], `${name}_s`),
    nodeOf("Div", ["one", `${name}_s`], `${name}_r`),
    nodeOf("Mul", [x, `${name}_r`], `${name}_x`),
    nodeOf("Mul", [`${name}_x`, `${name}_g`], name),
  ];
  const block = (name: string, x: string, y: string) => [
    ...norm(name, x),
    nodeOf("MatMul", [name, `${name}_gate`], `${name}_1`),
    nodeOf("MatMul", [name, `${name}_up`], `${name}_2`),
    nodeOf("Sigmoid", [`${name}_1`], `${name}_3`),
    nodeOf("Mul", [`${name}_3`, `${name}_2`], `${name}_4`),
    nodeOf("MatMul", [`${name}_4`, `${name}_down`], `${name}_5`),
    nodeOf("Add", [`${name}_bias`, `${name}_5`], `${name}_6`),
    nodeOf("Add", [x, `${name}_6`], y),
  ];
  const weightsOf = (name: string, seed: number) => ({
    [`${name}_g`]: tensor(
      "float32",
      [WIDTH],
      gaussian([WIDTH], seed).data.map((value) => 1 + 0.2 * value),
    ),
    [`${name}_gate`]: gaussian([WIDTH, INNER], seed + 1, 0.2),
    [`${name}_up`]: gaussian([WIDTH, INNER], seed + 2, 0.2),
    [`${name}_down`]: outlying([INNER, WIDTH], seed + 3),
    [`${name}_bias`]: gaussian([WIDTH], seed + 4),
  });
  return tinyModel({
    inputs: { ids: ["int64", [1, "length"]] },
    outputs: ["y"],
    weights: {
      table: outlying([ROWS, WIDTH], 1),
      two: scalar(2),
      one: scalar(1),
      epsilon: scalar(1e-6),
      ...weightsOf("a", 10),
      ...weightsOf("b", 20),
      n_g: gaussian([WIDTH], 30),
      ...(tied ? {} : { head: gaussian([WIDTH, ROWS], 31) }),
    },
    nodes: [
      nodeOf("Gather", ["table", "ids"], "e"),
      ...block("a", "e", "h1"),
      ...block("b", "h1", "h2"),
      ...norm("n", "h2"),
      ...(tied ? [nodeOf("Transpose", ["table"], "head", { perm: attrs.ints([1, 0]) })] : []),
      nodeOf("MatMul", ["n", "head"], "y"),
    ],
  });
};
const ids = tensor("int64", [1, 6], BigInt64Array.from([3n, 17n, 0n, 39n, 8n, 21n]));

describe("quaRot", () => {
  testPass(it, () => quaRot({ online: true }), { ort: node });

  it.each([
    [false, false, "hadamard"],
    [true, false, "hadamard"],
    [false, true, "random"],
    [true, true, "random"],
  ] as const)(
    "QL-03: leaves the function of a decoder the same to 1e-4 in both runtimes: table tied %s, online %s, %s",
    async (tied, online, kind) => {
      const model = decoder(tied);
      const { model: made, entries } = await applied(model, quaRot({ online, rotation: kind }));
      const float = await outputOf(node, model, { ids });
      for (const ort of [node, web]) expectClose(await outputOf(ort, made, { ids }), float, 1e-4);
      expect(entries.filter(({ action }) => action === "changed").length).toBeGreaterThanOrEqual(6);
    },
  );

  it("QL-03: inserts nothing where all folds, one product for a tied table and two for its head, one a layer online", async () => {
    const products = (model: Model) => operatorsOf(model).filter((name) => name === "MatMul").length;
    const added = async (tied: boolean, online: boolean) =>
      products(await runPass(decoder(tied), quaRot({ online }))) - products(decoder(tied));
    expect(await added(false, false)).toBe(0);
    expect(await added(true, false)).toBe(2);
    expect(await added(false, true)).toBe(2);
  });

  it("QL-03: takes the kurtosis of weights with outlying channels from over 10 to under 5", async () => {
    const model = decoder(false);
    const made = await runPass(model, quaRot());
    for (const name of ["table", "a_down"]) {
      expect(kurtosis(model.graph.weights.get(name)!.data as Float32Array)).toBeGreaterThan(10);
      expect(kurtosis(made.graph.weights.get(name)!.data as Float32Array)).toBeLessThan(5);
    }
  });

  it("QL-03: 4 bits a token, of activations with outlying channels, lose a third of the output that they lose unrotated", () => {
    const [tokens, n] = [64, 64];
    const x = gaussian([tokens, n], 1).data;
    for (let i = 0; i < x.length; i++) if (i % n === 7 || i % n === 50) x[i]! *= 25;
    const w = matrix(n, n, gaussian([n, n], 2).data);
    const r = rotation(n, "hadamard", createRng(3));
    const exact = matmul(matrix(tokens, n, x), w).data;
    const lost = (input: Float32Array, weight: typeof w) => {
      const rounded = dequantizeRows(quantizeRows(input, tokens, n, { bits: 4 }));
      return relativeL2(matmul(matrix(tokens, n, rounded), weight).data, exact);
    };
    const turned = Float32Array.from(matmul(matrix(tokens, n, x), r).data);
    expect(lost(turned, matmul(r, w, { transposeA: true }))).toBeLessThan(lost(x, w) / Math.sqrt(3));
  });

  it("leaves a model of LayerNormalization alone, and says why for each layer", async () => {
    const { model } = tinyTransformer();
    const { model: made, entries } = await applied(model, quaRot());
    expect(made).toBe(model);
    expect(entries.every(({ action, reason }) => action === "skipped" && reason?.includes("root mean square"))).toBe(
      true,
    );
  });
});

describe("rotation", () => {
  it("QL-03: of 1 to 1536 rows is orthogonal to 1e-9, and of signs alone where there is a Hadamard matrix", () => {
    for (const n of [1, 2, 8, 12, 24, 40, 64, 72, 96, 7, 36])
      for (const kind of ["hadamard", "random"] as const) {
        const r = rotation(n, kind, createRng(n));
        const product = matmul(r, r, { transposeB: true });
        for (let i = 0; i < n * n; i++)
          expect(Math.abs(product.data[i]! - (i % (n + 1) === 0 ? 1 : 0))).toBeLessThan(1e-9);
      }
    for (const n of [384, 576, 1536]) expect(hadamard(n)).toBeDefined();
    expect(hadamard(7)).toBeUndefined();
  });

  it("QL-03: the fast Walsh-Hadamard transform is the product with the matrix of a power of two", () => {
    const n = 64;
    const x = gaussian([n], 5).data;
    const fast = Float64Array.from(x);
    for (let half = 1; half < n; half *= 2)
      for (let i = 0; i < n; i++)
        if ((i & half) === 0) [fast[i], fast[i + half]] = [fast[i]! + fast[i + half]!, fast[i]! - fast[i + half]!];
    const slow = matmul(matrix(1, n, x), matrix(n, n, Float64Array.from(hadamard(n)!))).data;
    for (let i = 0; i < n; i++) expect(slow[i]).toBeCloseTo(fast[i]!, 9);
  });
});

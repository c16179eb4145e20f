import { beforeAll, describe, expect, it } from "vitest";
import { createKernels, type Kernels, type PackedProductOptions, type Tensor } from "../index.ts";
import { seeded } from "../ops/seeded.ts";

const [ROWS, COLUMNS] = [21, 100];
const floats = (dims: number[], seed: number): Tensor<"float32"> => {
  const random = seeded(seed);
  const count = dims.reduce((a, b) => a * b, 1);
  return { type: "float32", dims, data: Float32Array.from({ length: count }, () => random() * 2 - 1) };
};
const w = floats([ROWS, COLUMNS], 1);
const x = floats([5, COLUMNS], 2);

/** X W' in float64, and the sums of magnitudes. */
const exact = (rows: Tensor<"float32">, weights: ArrayLike<number>) => {
  const count = rows.data.length / COLUMNS;
  return Array.from({ length: count * ROWS }, (_, at) => {
    const [i, j] = [Math.floor(at / ROWS), at % ROWS];
    let [sum, size] = [0, 0];
    for (let k = 0; k < COLUMNS; k++) {
      const product = rows.data[i * COLUMNS + k]! * weights[j * COLUMNS + k]!;
      sum += product;
      size += Math.abs(product);
    }
    return { sum, size };
  });
};
const worst = (y: Tensor, wanted: ReturnType<typeof exact>) =>
  Math.max(...wanted.map(({ sum, size }, i) => Math.abs(y.data[i]! - sum) / size));

const typical = (y: Tensor, wanted: ReturnType<typeof exact>) =>
  Math.hypot(...wanted.map(({ sum, size }, i) => (y.data[i]! - sum) / size));

/** Codes in MatMulNBits' layout, and the weights that they mean; written bit by bit. */
const nBits = (bits: number, blockSize: number, withZeros: boolean) => {
  const random = seeded(bits * 100 + blockSize);
  const whole = (most: number) => Math.floor(random() * (most + 1));
  const blocks = Math.ceil(COLUMNS / blockSize);
  const [blockBytes, zeroBytes] = [(blockSize * bits) / 8, Math.ceil((blocks * bits) / 8)];
  const codes = new Uint8Array(ROWS * blocks * blockBytes);
  const zeroPoints = new Uint8Array(ROWS * zeroBytes);
  const scales = Float32Array.from({ length: ROWS * blocks }, () => random() / 10 - 0.05);
  const weights = new Float64Array(ROWS * COLUMNS);
  const put = (bytes: Uint8Array, byte: number, field: number, value: number) => {
    for (let bit = 0; bit < bits; bit++) {
      const at = field * bits + bit;
      bytes[byte + (at >> 3)]! |= ((value >> bit) & 1) << (at & 7);
    }
  };
  const most = 2 ** bits - 1;
  for (let j = 0; j < ROWS; j++)
    for (let b = 0; b < blocks; b++) {
      const zero = withZeros ? whole(most) : 2 ** (bits - 1);
      put(zeroPoints, j * zeroBytes, b, zero);
      for (let k = 0; k < blockSize; k++) {
        const code = whole(most);
        put(codes, (j * blocks + b) * blockBytes, k, code);
        const column = b * blockSize + k;
        if (column < COLUMNS) weights[j * COLUMNS + column] = (code - zero) * scales[j * blocks + b]!;
      }
    }
  const source = { rows: ROWS, columns: COLUMNS, blockSize, codes, scales };
  return { source: withZeros ? { ...source, zeroPoints } : source, weights };
};

describe("packed weights", () => {
  let hw: Kernels;
  beforeAll(async () => {
    hw = await createKernels({ threads: 1 });
  });

  const combinations = ([4, 3, 2] as const).flatMap((bits) =>
    [16, 32, 128].flatMap((size) =>
      bits === 3 && size === 16 ? [] : [false, true].map((z) => [bits, size, z] as const),
    ),
  );
  it.each(combinations)(
    "takes %i bits in blocks of %i as MatMulNBits stores them (zero points: %s): int16 activations are within 2^-14 of exact products, int8 ones within 2^-6",
    (bits, blockSize, withZeros) => {
      const { source, weights } = nBits(bits, blockSize, withZeros);
      const packed = hw.pack[`int${bits}`](source);
      const wanted = exact(x, weights);
      expect(worst(hw.gemm(packed, x, { activations: "int16" }), wanted)).toBeLessThan(2 ** -14);
      expect(worst(hw.gemm(packed, x), wanted)).toBeLessThan(2 ** -6);
      const one = { ...x, dims: [COLUMNS], data: x.data.slice(0, COLUMNS) };
      expect([...hw.gemv(packed, one).data]).toEqual([...hw.gemm(packed, x).data.slice(0, ROWS)]);
      packed.dispose();
    },
  );

  it.each([
    ["int8", 2 ** -6],
    ["int4", 2 ** -5],
    ["int3", 2 ** -3],
    ["int2", 2 ** -1],
  ] as const)("rounds float32 weights to %s, products within %d of the sum of magnitudes", (kind, bound) => {
    const packed = hw.pack[kind](w);
    expect(worst(hw.gemm(packed, x), exact(x, w.data))).toBeLessThan(bound);
    if (kind === "int4") {
      const finer = hw.pack.int4(w, { blockSize: 16, symmetric: false });
      expect(typical(hw.gemm(finer, x), exact(x, w.data))).toBeLessThan(typical(hw.gemm(packed, x), exact(x, w.data)));
      finer.dispose();
    }
    packed.dispose();
  });

  it.each(["int4", "int8"] as const)("adds a bias, applies activations, and writes to out (%s)", (kind) => {
    const packed = hw.pack[kind](w);
    const bias = floats([ROWS], 3);
    const plain = hw.gemm(packed, x).data;
    const out = hw.tensor("float32", [5, ROWS]);
    hw.gemm(packed, x, { bias, activation: "relu", out });
    for (const [i, y] of plain.entries()) expect(out.data[i]!).toBeCloseTo(Math.max(0, y + bias.data[i % ROWS]!), 5);
    hw.gemm(packed, x, { activation: "sigmoid", out });
    expect(out.data[0]).toBeCloseTo(1 / (1 + Math.exp(-plain[0]!)), 5);
    for (const handle of [packed, out]) handle.dispose();
  });

  it("gives the same bits with SIMD128, by the reference, in threads, and while the memory grows", async () => {
    const large = floats([64, 2048], 4);
    const rows = floats([33, 2048], 5);
    const bits = async (options: Parameters<typeof createKernels>[0], more: PackedProductOptions) => {
      const kernels = await createKernels(options);
      const results = (["int4", "int3", "int2", "int8"] as const).flatMap((kind) => {
        const packed = kernels.pack[kind](large);
        return [
          kernels.gemm(packed, kernels.tensor("float32", rows.dims, rows.data), more),
          kernels.gemm(packed, floats([2048], 6), more),
        ];
      });
      kernels.dispose();
      return results.map(({ data }) => [...data]);
    };
    for (const more of [{}, { activations: "int16" }] as const) {
      const wanted = await bits({ threads: 1 }, more);
      expect(await bits({ threads: 1, prefer: "simd" }, more)).toEqual(wanted);
      expect(await bits({ threads: 2 }, more)).toEqual(wanted);
      expect(await bits({ threads: 1, deterministic: true }, more)).toEqual(wanted);
    }
    expect(await bits({ threads: 1, prefer: "reference" }, {})).toEqual(await bits({ threads: 1 }, {}));
  });

  it.each(["int8", "uint8"] as const)(
    "multiplies %s by int8 exactly, and rounds sums to 8 bits, halves to even",
    (type) => {
      const random = seeded(9);
      const weights = Int8Array.from({ length: ROWS * COLUMNS }, () => Math.floor(random() * 256) - 128);
      const [low, high] = type === "int8" ? [-128, 127] : [0, 255];
      const values = Array.from({ length: 3 * COLUMNS }, () => Math.floor(random() * 256) + low);
      const data = type === "int8" ? Int8Array.from(values) : Uint8Array.from(values);
      const zeroPoint = low + 77;
      const packed = hw.pack.int8({ rows: ROWS, columns: COLUMNS, weights });
      const bias: Tensor<"int32"> = { type: "int32", dims: [ROWS], data: new Int32Array(ROWS).fill(1000) };
      const y = hw.gemmInteger(packed, { type, dims: [3, COLUMNS], data } as Tensor, { zeroPoint, bias });
      const wanted = Array.from({ length: 3 * ROWS }, (_, at) => {
        const [i, j] = [Math.floor(at / ROWS), at % ROWS];
        let sum = 1000;
        for (let k = 0; k < COLUMNS; k++) sum += (values[i * COLUMNS + k]! - zeroPoint) * weights[j * COLUMNS + k]!;
        return sum;
      });
      expect([...y.data]).toEqual(wanted);
      const even: Tensor<"int32"> = { type: "int32", dims: [6], data: Int32Array.of(1, 3, 5, -1, -3, 100000) };
      const rounded = hw.requantize(even, { scales: 0.5, zeroPoint: low + 10, type });
      expect([...rounded.data]).toEqual(
        [0, 2, 2, 0, -2, high].map((q) => Math.min(high, q === high ? q : q + low + 10)),
      );
      expect(rounded.type).toBe(type);
      packed.dispose();
    },
  );

  const refused: [string, string, (hw: Kernels) => unknown][] = [
    ["a block size that no kernel takes", "BAD_OPTION", () => hw.pack.int4(w, { blockSize: 24 })],
    ["codes of another length", "BAD_DATA", () => hw.pack.int4({ ...nBits(4, 32, false).source, rows: 20 })],
    ["weights that are not finite", "BAD_DATA", () => hw.pack.int4({ ...w, data: w.data.map(() => Number.NaN) })],
    ["a vector of another length", "BAD_DATA", () => hw.gemv(hw.pack.int4(w), floats([7], 1))],
    ["rows as a vector", "BAD_DATA", () => hw.gemv(hw.pack.int8(w), x)],
    [
      "an unknown type of activations",
      "BAD_OPTION",
      () => hw.gemm(hw.pack.int4(w), x, { activations: "int5" as never }),
    ],
    ["floats where integers are asked for", "BAD_DATA", () => hw.gemmInteger(hw.pack.int8(w), x)],
    [
      "a zero point outside of the type",
      "BAD_DATA",
      () => hw.requantize({ type: "int32", dims: [1], data: new Int32Array(1) }, { scales: 1, zeroPoint: 200 }),
    ],
  ];
  it.each(refused)("refuses %s with %s", (_, code, run) => {
    expect(() => run(hw)).toThrow(expect.objectContaining({ name: "EspalierError", code }));
  });
});

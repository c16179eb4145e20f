import type { BinaryMethodOptions } from "./method/binary.ts";
import type { Fp4Options } from "./method/fp4.ts";
import type { Fp8Options } from "./method/fp8.ts";
import type { Mxfp4Options } from "./method/mxfp4.ts";
import type { Nf4Options } from "./method/nf4.ts";
import type { Nvfp4Options } from "./method/nvfp4.ts";
import type { PalettizeOptions } from "./method/palettize.ts";
import type { ProductQuantizeOptions } from "./method/product-quantize.ts";
import { all, boolean, names, object, oneOf, type Schema, selection } from "./schema-kit.ts";
import type { Target } from "./support.ts";

const chosen = {
  ...selection,
  sensitive: {
    anyOf: names,
    description: 'Layers that are left to a pass of more bits: "auto", names, operators, globs.',
  },
  embeddings: oneOf(["auto", "float"], "Embedding tables as the other layers, or left as they are."),
} satisfies Record<string, Schema>;
const blockSize: Schema = {
  anyOf: [{ enum: ["channel"] }, { type: "integer", minimum: 8 }],
  description: "Columns that share a scale.",
};
const clip = oneOf(["none", "mse"], "Scale of the extremes, or that of the least squared error.");
const target = oneOf(all<Target>({ node: true, web: true, webgpu: true, size: true }), "Where the result runs.");

/** Options of the methods whose grids are tables of values. */
export const valueSchemas = {
  nf4: object<Nf4Options>({
    ...chosen,
    blockSize,
    clip,
    target,
    doubleQuant: boolean("Scales in 8 bits, with a float for every 256."),
    form: oneOf(["auto", "decode", "MatMulBnb4"], "How linear layers stand in the file."),
  }),
  fp4: object<Fp4Options>({
    ...chosen,
    blockSize,
    clip,
    form: oneOf(["decode", "MatMulBnb4"], "E2M1, or bitsandbytes' values for onnxruntime's operator."),
  }),
  fp8: object<Fp8Options>({
    ...chosen,
    blockSize,
    clip,
    format: oneOf(["e4m3", "e5m2"], "Bits of exponent and fraction."),
    form: oneOf(["decode", "DequantizeLinear"], "Decoded at load, or on every call."),
  }),
  mxfp4: object<Mxfp4Options>({ ...chosen, clip }),
  nvfp4: object<Nvfp4Options>({ ...chosen, clip }),
  binary: object<BinaryMethodOptions>({
    ...chosen,
    blockSize,
    scale: oneOf(["mean", "one"], "Mean magnitude of a channel or block, or 1."),
    rounding: oneOf(["sign", "stochastic"], "To the sign, or at random with the weight as its expectation."),
  }),
  palettize: object<PalettizeOptions>({
    ...chosen,
    bits: oneOf([1, 2, 3, 4, 5, 6, 7, 8], "Bits of a code."),
    groupSize: { type: "integer", minimum: 1, description: "Output channels that share a codebook." },
    clustering: oneOf(["lloyd", "exact"], "k-means, or its least error by dynamic programming."),
  }),
  productQuantize: object<ProductQuantizeOptions>({
    ...chosen,
    width: { anyOf: [{ enum: ["auto"] }, { type: "integer", minimum: 2 }], description: "Columns of a subvector." },
    bits: oneOf([4, 5, 6, 7, 8], "Bits of a code."),
    steps: { type: "integer", minimum: 1, description: "Steps of expectation maximization at most." },
  }),
} as const;

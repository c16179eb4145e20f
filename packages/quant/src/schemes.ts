import type { Layer } from "@espalier/core";
import { halfIsSmaller } from "./export/scales.ts";
import { carrierOf } from "./grid/carried.ts";
import { BLOCKED_OPSET, rowsOf, unfit } from "./method/weight-fit.ts";
import { type PlanOptions, planOf, type WeightBits, type WeightPlan } from "./method/weight-plan.ts";
import { type SchemeForm, type Speed, supportOf, type WeightForm } from "./support.ts";

/** A way to store a layer, what it takes, and what each runtime makes of it. */
export interface Scheme {
  /** "decode int8", "MatMulNBits int4, block 32" … */
  readonly name: string;
  readonly form: SchemeForm;
  readonly bits: number;
  /** Stored bytes of codes, scales and zero points; names and nodes of the file not counted. */
  readonly bytes: number;
  readonly node: Speed;
  readonly web: Speed;
  readonly webgpu: Speed;
  readonly note?: string;
}

const BYTE = 8;
const HALF_BITS = 16;
const HALF_BYTES = 2;
const FLOAT_BYTES = 4;

/** Stored bytes of a layer by a plan, symmetric: codes (whole blocks where the form pads them) and scales. */
export const planBytes = (layer: Layer, { form, bits, blockSize }: WeightPlan): number => {
  const [rows, columns] = rowsOf(layer);
  if (bits === HALF_BITS) return HALF_BYTES * rows * columns;
  const blocks = Math.ceil(columns / blockSize);
  const width = form === "MatMulNBits" ? blocks * blockSize : columns;
  const scales = rows * blocks;
  const stored = form === "decode" && bits < 7 ? bits : carrierOf(bits);
  return (
    Math.ceil((rows * width * stored) / BYTE) +
    scales * (halfIsSmaller(scales, `${layer.weight.name}_s`) ? HALF_BYTES : FLOAT_BYTES)
  );
};

const usual: PlanOptions = {
  bits: BYTE,
  blockSize: "auto",
  symmetric: true,
  zeroPoint: "integer",
  form: "auto",
  embeddings: "auto",
  target: "size",
  portable: false,
  sensitive: () => false,
  float16Below: 0,
  smallTable: 0,
  readElsewhere: new Set(),
  opset: BLOCKED_OPSET,
};

const forms: readonly (readonly [WeightForm, WeightBits])[] = [
  ["decode", 8],
  ["decode", 6],
  ["decode", 5],
  ["decode", 4],
  ["decode", 3],
  ["decode", 2],
  ["float16", 8],
  ["MatMulNBits", 8],
  ["MatMulNBits", 4],
  ["MatMulNBits", 2],
  ["DequantizeLinear", 8],
  ["DequantizeLinear", 4],
  ["GatherBlockQuantized", 8],
  ["GatherBlockQuantized", 4],
  ["GatherBlockQuantized", 2],
  ["gatherRows", 8],
];

const schemeOf = (layer: Layer, form: SchemeForm, bits: number, bytes: number, block: string): Scheme | undefined => {
  const row = supportOf(form, bits, layer.kind);
  if (!row) return undefined;
  const { node, web, webgpu, note } = row;
  const type = bits === HALF_BITS || form.endsWith("Int8") ? "" : ` int${bits}`;
  return { name: `${form}${type}${block}`, form, bits, bytes, node, web, webgpu, ...(note ? { note } : {}) };
};

/** Weights and activations in int8: codes, a scale and a zero point for each output channel. */
const int8Schemes = (layer: Layer): readonly (Scheme | undefined)[] => {
  const [rows, columns] = rowsOf(layer);
  const bytes = rows * columns + rows * (FLOAT_BYTES + 1);
  return (["dynamicInt8", "staticInt8"] as const).map((form) => schemeOf(layer, form, BYTE, bytes, ""));
};

/** The schemes that fit a layer, smallest first, with the bytes each would take and how each runtime runs it. */
export const schemesFor = (layer: Layer): readonly Scheme[] => {
  if (unfit(layer)) return [];
  const [, columns] = rowsOf(layer);
  const found = forms.map(([form, bits]) => {
    const plan = planOf(layer, { ...usual, bits, form, embeddings: form });
    // Where a width does not fit the rows, decoding falls back to 8 bits, which stands in the list already.
    if (!("form" in plan) || (form !== "float16" && plan.bits !== bits)) return undefined;
    const block = plan.blockSize < columns ? `, block ${plan.blockSize}` : "";
    return schemeOf(layer, form, plan.bits, planBytes(layer, plan), block);
  });
  return [...found, ...int8Schemes(layer)].filter((scheme) => scheme !== undefined).sort((a, b) => a.bytes - b.bytes);
};

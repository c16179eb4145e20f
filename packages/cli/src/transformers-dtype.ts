import type { LayerEntry } from "@espalier/combine";
import type { TransformersDtype } from "@espalier/core";

/** Share of the changed bytes that a form must hold to name the file. */
const ENOUGH = 0.2;
const FLOAT_BITS = 32;

/** Bits of a weight as the report names its form: "MatMulNBits 4 bits, block 32", "DynamicQuantizeLinear … int8", "float16". */
const bitsOf = (form: string): number => {
  const told = /\b(\d) bits?\b/.exec(form)?.[1];
  if (told !== undefined) return Number(told);
  if (/bnb4|nf4|fp4/i.test(form)) return 4;
  if (/int8/i.test(form)) return 8;
  return /float16/i.test(form) ? 16 : FLOAT_BITS;
};

const nameOf = (bits: number): TransformersDtype => {
  if (bits <= 1) return "q1";
  if (bits <= 2) return "q2";
  if (bits <= 4) return "q4";
  if (bits <= 8) return "q8";
  return bits <= 16 ? "fp16" : "fp32";
};

/** What transformers.js calls a result: by the fewest bits that at least a fifth of the changed weights have. */
export const transformersDtype = (layers: readonly LayerEntry[]): TransformersDtype => {
  const bytes = new Map<number, number>();
  let all = 0;
  for (const { action, form, bytesBefore = 0 } of layers) {
    if (action !== "changed" || form === undefined) continue;
    if (/bnb4/i.test(form)) return "bnb4";
    const bits = bitsOf(form);
    bytes.set(bits, (bytes.get(bits) ?? 0) + bytesBefore);
    all += bytesBefore;
  }
  const enough = [...bytes].filter(([, own]) => own >= ENOUGH * all).map(([bits]) => bits);
  return nameOf(Math.min(FLOAT_BITS, ...enough));
};

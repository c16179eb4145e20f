/**
 * Where WebAssembly lets hosts differ in relaxed SIMD, and what a host does there.
 * Source: WebAssembly specification 3.0, section 4.3.5 (relaxed operations).
 */
export interface RelaxedSemantics {
  /** a * b + c rounded once, or the product rounded first. */
  readonly madd: "fused" | "separate";
  /** The second operand's bytes where bit 7 is set; and whether a sum of two products saturates in 16 bits. */
  readonly dot: "signed" | "unsigned" | "saturating";
  /** Lane numbers 16..127. */
  readonly swizzle: "zero" | "modulo";
  /** Minimum and maximum with NaN, or of two zeros: as `min`, or the second unless the first is better. */
  readonly minimum: "number" | "compare";
  /** Truncation of NaN and of what does not fit. */
  readonly trunc: "saturate" | "lowest";
  /** Selection by a mask that is not all ones or all zeros in a lane. */
  readonly laneselect: "bits" | "top";
  /** q15 product of -32768 by itself. */
  readonly q15: "saturate" | "wrap";
}

/** Hosts that exist, named for what their dot does; between them each choice occurs. */
export const hosts: Readonly<Record<string, RelaxedSemantics>> = {
  "sdot (arm64)": {
    madd: "fused",
    dot: "signed",
    swizzle: "zero",
    minimum: "number",
    trunc: "saturate",
    laneselect: "bits",
    q15: "saturate",
  },
  "vpdpbusd (x64 with VNNI)": {
    madd: "fused",
    dot: "unsigned",
    swizzle: "modulo",
    minimum: "compare",
    trunc: "lowest",
    laneselect: "top",
    q15: "wrap",
  },
  "pmaddubsw (x64 without VNNI and FMA)": {
    madd: "separate",
    dot: "saturating",
    swizzle: "modulo",
    minimum: "compare",
    trunc: "lowest",
    laneselect: "top",
    q15: "wrap",
  },
};

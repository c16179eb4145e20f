import { type Call, ints, string } from "../call.ts";

/** How a window moves over the axes of an image. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Before and after each axis. */
  readonly pads: readonly (readonly [number, number])[];
}

/** Window of a node over `sizes`, automatic pads made explicit. */
export const windowOf = (call: Call, sizes: readonly number[], kernel: readonly number[]): Window => {
  const ones = sizes.map(() => 1);
  const strides = ints(call, "strides") ?? ones;
  const dilations = ints(call, "dilations") ?? ones;
  const auto = string(call, "auto_pad", "NOTSET");
  const given = ints(call, "pads");
  const pads = sizes.map((size, i): [number, number] => {
    if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
      const out = Math.ceil(size / strides[i]);
      const total = Math.max(0, (out - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - size);
      const less = Math.floor(total / 2);
      return auto === "SAME_UPPER" ? [less, total - less] : [total - less, less];
    }
    return auto === "VALID" || !given ? [0, 0] : [given[i], given[sizes.length + i]];
  });
  return { kernel, strides, dilations, pads };
};

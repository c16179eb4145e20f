import { type Pass, roundToHalf } from "@espalier/core";
import { binaryRows } from "../grid/binary.ts";
import { type ValueOptions, valuePass } from "./value-pass.ts";

export interface BinaryMethodOptions extends Omit<ValueOptions, "clip"> {
  /** Scale of a channel or block: its mean magnitude, or 1 as BinaryConnect has it. */
  readonly scale?: "mean" | "one";
  /** To the sign, or at random with the weight as its expectation. */
  readonly rounding?: "sign" | "stochastic";
}

/**
 * Weights of two values, -α and α, in one bit: the projection of BinaryConnect, without its training.
 *
 *     b = +1 where w >= 0, else -1      α = mean|w|
 *
 * No runtime has an operator for one bit: the weights are decoded when the model is loaded.
 * Source: BinaryConnect, arXiv:1511.00363; α of XNOR-Net, arXiv:1603.05279.
 */
export const binary = ({
  scale = "mean",
  rounding = "sign",
  blockSize = "channel",
  ...options
}: BinaryMethodOptions = {}): Pass =>
  valuePass({
    name: "quant/binary",
    format: "binary",
    options,
    blockSize,
    forms: ["decode"],
    quantize: (w, rows, columns, { blockSize: block, half, layer, ctx }) =>
      binaryRows(w, rows, columns, {
        blockSize: block,
        scale,
        rng: rounding === "stochastic" ? ctx.rng.fork(layer.name) : undefined,
        round: half ? roundToHalf : Math.fround,
      }),
  });

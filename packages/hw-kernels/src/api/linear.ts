import { gemv } from "../ops/gemv/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Tensor } from "../tensor.ts";
import { type Activation, clampRange } from "./activation.ts";
import { floatOutput, matrixOf, vectorOf } from "./operands.ts";

export interface ProductOptions {
  /** Factor of the product. */
  alpha?: number;
  /** Factor of what `out` holds already. */
  beta?: number;
  bias?: Tensor;
  activation?: Activation;
  /** Where the result goes; a new tensor otherwise. */
  out?: Tensor<"float32">;
}

export interface LinearKernels {
  /**
   * A matrix times a vector: activation(alpha * W x + beta * out + bias), or with W' where `transposed`.
   *
   * @param w [rows, columns]
   * @param x [columns], or [rows] where transposed
   */
  gemv(w: Tensor, x: Tensor, options?: ProductOptions & { transposed?: boolean }): Tensor<"float32">;
}

/** Products of float32 matrices. */
export const linearKernels = ({ run }: Runtime): LinearKernels => ({
  gemv: (w, x, { transposed = false, alpha = 1, beta = 0, bias, activation = "none", out } = {}) => {
    const { data, rows, columns } = matrixOf("gemv", "w", w);
    const [inputs, outputs] = transposed ? [rows, columns] : [columns, rows];
    const result = floatOutput("gemv", [outputs], out);
    run(gemv, {
      w: data,
      x: vectorOf("gemv", "x", x, inputs),
      bias: bias ? vectorOf("gemv", "bias", bias, outputs) : new Float32Array(),
      y: result.data,
      rows,
      columns,
      stride: columns,
      transposed: Number(transposed),
      alpha,
      beta,
      ...clampRange(activation),
    });
    return result;
  },
});

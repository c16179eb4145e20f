import { activate } from "../ops/activate/op.ts";
import { gemm, isDirect } from "../ops/gemm/op.ts";
import { gemv } from "../ops/gemv/op.ts";
import { syrk } from "../ops/syrk/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Tensor } from "../tensor.ts";
import { type Activation, type ActivationFunction, activationKind, splitActivation } from "./activation.ts";
import { doubleOutput, floatOutput, matricesOf, matrixOf, mismatch, vectorOf } from "./operands.ts";

export interface ProductOptions {
  /** Factor of the product. */
  alpha?: number;
  /** Factor of what `out` holds already. */
  beta?: number;
  /** Added to each row of the result. */
  bias?: Tensor;
  activation?: Activation;
  /** Where the result goes; a new tensor otherwise. */
  out?: Tensor<"float32">;
}

export interface LinearKernels {
  /**
   * A product of matrices: activation(alpha * op(A) op(B) + beta * out + bias) [..., m, n].
   *
   * @param a [..., m, k], or [..., k, m] where transA
   * @param b [..., k, n], or [..., n, k] where transB; dimensions before the last two are those of `a`, or 1 or none
   */
  gemm(a: Tensor, b: Tensor, options?: ProductOptions & { transA?: boolean; transB?: boolean }): Tensor<"float32">;
  /**
   * A matrix times a vector: activation(alpha * W x + beta * out + bias), or with W' where `transposed`.
   *
   * @param w [rows, columns]
   * @param x [columns], or [rows] where transposed
   */
  gemv(w: Tensor, x: Tensor, options?: ProductOptions & { transposed?: boolean }): Tensor<"float32">;
  /**
   * A Gram matrix in float64, symmetric: alpha * X' X + beta * out [columns, columns]. The error does not grow with rows.
   *
   * @param x [..., rows, columns]; what comes before rows counts as more rows
   */
  syrk(x: Tensor, options?: { alpha?: number; beta?: number; out?: Tensor<"float64"> }): Tensor<"float64">;
}

/** Products of float32 matrices. */
export const linearKernels = ({ run }: Runtime): LinearKernels => {
  const finished = (result: Tensor<"float32">, after?: ActivationFunction) => {
    const kind = after && activationKind(after);
    if (kind !== undefined) run(activate, { x: result.data, y: result.data, count: result.data.length, kind });
    return result;
  };
  return {
    gemm: (a, b, options = {}) => {
      const { transA = false, transB = false, alpha = 1, beta = 0, bias, activation = "none", out } = options;
      const left = matricesOf("gemm", "a", a);
      const right = matricesOf("gemm", "b", b);
      const [m, k] = transA ? [left.columns, left.rows] : [left.rows, left.columns];
      const [inner, n] = transB ? [right.columns, right.rows] : [right.rows, right.columns];
      if (k !== inner) throw mismatch("gemm", a, b, `k is ${k} and ${inner}`);
      if (right.batch !== 1 && right.batch !== left.batch) throw mismatch("gemm", a, b, "their batches differ");
      const result = floatOutput("gemm", [...a.dims.slice(0, -2), m, n], out);
      // Rows of a batch that share B are rows of one product.
      const together = right.batch === 1 && !transA;
      const [batch, rows] = together ? [1, left.batch * m] : [left.batch, m];
      const { range, after } = splitActivation(activation);
      const factors = { alpha, beta, ...range };
      const biasData = bias ? vectorOf("gemm", "bias", bias, n) : new Float32Array();
      if (rows === 1 && batch === 1) {
        const sizes = { rows: right.rows, columns: right.columns, stride: right.columns, transposed: Number(!transB) };
        run(gemv, { w: right.data, x: left.data, bias: biasData, y: result.data, ...sizes, ...factors });
        return finished(result, after);
      }
      run(gemm, {
        ...{ a: left.data, b: right.data, bias: biasData, c: result.data, m: rows, n, k },
        ...{
          strideA: left.columns,
          strideB: right.columns,
          strideC: n,
          transA: Number(transA),
          transB: Number(transB),
        },
        ...{ batch, stepA: m * k, stepB: right.batch === 1 ? 0 : k * n, stepC: m * n, ...factors },
        direct: Number(isDirect(rows, transB)),
      });
      return finished(result, after);
    },
    gemv: (w, x, { transposed = false, alpha = 1, beta = 0, bias, activation = "none", out } = {}) => {
      const { data, rows, columns } = matrixOf("gemv", "w", w);
      const [inputs, outputs] = transposed ? [rows, columns] : [columns, rows];
      const { range, after } = splitActivation(activation);
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
        ...range,
      });
      return finished(result, after);
    },
    syrk: (x, { alpha = 1, beta = 0, out } = {}) => {
      const { data, rows, columns, batch } = matricesOf("syrk", "x", x);
      const result = doubleOutput("syrk", [columns, columns], out);
      const sizes = { rows: rows * batch, columns, stride: columns, from: 0, to: columns };
      run(syrk, { x: data, g: result.data, ...sizes, alpha, beta, packed: 0 });
      return result;
    },
  };
};

import { activate } from "../ops/activate/op.ts";
import { norm } from "../ops/norm/op.ts";
import { rope } from "../ops/rope/op.ts";
import { softmax } from "../ops/softmax/op.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { type ActivationFunction, activationKind } from "./activation.ts";
import { floatOutput, mismatch, rowsOf, vectorOf } from "./operands.ts";

interface Output {
  /** Where the result goes, which may be the input; a new tensor otherwise. */
  out?: Tensor<"float32">;
}
export interface NormOptions extends Output {
  /** [columns] */
  gain?: Tensor;
  /** [columns] */
  bias?: Tensor;
  /** 1e-5 unless given. */
  epsilon?: number;
}

export interface LayerKernels {
  /** exp(scale x - max) / sum, along the last dimension. */
  softmax(x: Tensor, options?: Output & { scale?: number }): Tensor<"float32">;
  /** (x - mean) / sqrt(variance + epsilon) * gain + bias, along the last dimension. */
  layerNorm(x: Tensor, options?: NormOptions): Tensor<"float32">;
  /** x / sqrt(mean of x^2 + epsilon) * gain + bias, along the last dimension. */
  rmsNorm(x: Tensor, options?: NormOptions): Tensor<"float32">;
  /** A function of each number: gelu, geluTanh, silu or sigmoid. */
  activate(x: Tensor, kind: ActivationFunction, options?: Output): Tensor<"float32">;
  /**
   * Rotary position embedding: pairs of numbers turned by the angles of their position.
   *
   * @param x [positions, heads, size]
   * @param cos [positions, size / 2], and sin alike
   */
  rope(x: Tensor, cos: Tensor, sin: Tensor, options?: Output & { interleaved?: boolean }): Tensor<"float32">;
}

const NONE = new Float32Array();

/** What a transformer computes between its products. */
export const layerKernels = ({ run }: Runtime): LayerKernels => {
  const normalize =
    (where: string, centered: number): LayerKernels["layerNorm"] =>
    (x, { gain, bias, epsilon = 1e-5, out } = {}) => {
      const { data, rows, columns } = rowsOf(where, x);
      const y = floatOutput(where, x.dims, out);
      run(norm, {
        ...{ x: data, y: y.data, rows, columns, centered, epsilon },
        gain: gain ? vectorOf(where, "gain", gain, columns) : NONE,
        bias: bias ? vectorOf(where, "bias", bias, columns) : NONE,
      });
      return y;
    };
  return {
    softmax: (x, { scale = 1, out } = {}) => {
      const { data, rows, columns } = rowsOf("softmax", x);
      const y = floatOutput("softmax", x.dims, out);
      run(softmax, { x: data, y: y.data, rows, columns, scale });
      return y;
    },
    layerNorm: normalize("layerNorm", 1),
    rmsNorm: normalize("rmsNorm", 0),
    activate: (x, kind, { out } = {}) => {
      const count = sizeOf(x.dims);
      const y = floatOutput("activate", x.dims, out);
      run(activate, { x: vectorOf("activate", "x", x, count), y: y.data, count, kind: activationKind(kind) });
      return y;
    },
    rope: (x, cos, sin, { interleaved = false, out } = {}) => {
      const [rows = 0, heads = 0, size = 0] = x.dims;
      if (x.dims.length !== 3 || size % 2) throw mismatch("rope", x, cos, "x is no [positions, heads, even size]");
      const y = floatOutput("rope", x.dims, out);
      const pairs = size / 2;
      run(rope, {
        ...{ x: vectorOf("rope", "x", x, sizeOf(x.dims)), y: y.data, rows, heads, pairs },
        ...{ cos: vectorOf("rope", "cos", cos, rows * pairs), sin: vectorOf("rope", "sin", sin, rows * pairs) },
        interleaved: Number(interleaved),
      });
      return y;
    },
  };
};

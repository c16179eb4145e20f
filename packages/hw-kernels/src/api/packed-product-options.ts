import type { Tensor } from "../tensor.ts";
import type { Activation } from "./activation.ts";

export interface PackedProductOptions {
  /** What x becomes before it is multiplied, one scale for each row and block of weights; int8 for weights of 8 bits. */
  activations?: "int8" | "int16";
  /** Added to each row of the result. */
  bias?: Tensor;
  activation?: Activation;
  /** Where the result goes; a new tensor otherwise. */
  out?: Tensor<"float32">;
}

/** Where a compressed model is to run. `size`: only bytes count. */
export type Target = "node" | "web" | "webgpu" | "size";

/** How the weights of a layer are stored, and with it who decodes them and when. */
export type WeightForm =
  /** Integers and scales that plain operators decode; onnxruntime folds them when it loads the model. */
  | "decode"
  /** float16 with a Cast, folded likewise. */
  | "float16"
  /** com.microsoft MatMulNBits. */
  | "MatMulNBits"
  /** ONNX DequantizeLinear, which runs on every call. */
  | "DequantizeLinear"
  /** com.microsoft GatherBlockQuantized. */
  | "GatherBlockQuantized"
  /** Gather of int8 rows and of their scales, then Cast and Mul. */
  | "gatherRows";

import type { LayerKind, ReportEntry } from "@espalier/core";

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
  | "gatherRows"
  /** GatherBlockQuantized and MatMulNBits on the codes of one table, for embeddings that are the last matrix too. */
  | "tiedTable";

/**
 * What a runtime makes of a form, against float32: `fast` is quicker, `same` runs at float's speed, `slow` runs and is
 * slower, `unsupported` does not load or fails.
 */
export type Speed = "fast" | "same" | "slow" | "unsupported";
export type Runtime = "node" | "web" | "webgpu";

/** The whole choice that a row of the table is about: a form of weights, or weights and activations in int8. */
export type SchemeForm = WeightForm | "MatMulBnb4" | "float8" | "dynamicInt8" | "staticInt8";

export interface Support {
  readonly form: SchemeForm;
  readonly bits: readonly number[];
  readonly kinds: readonly LayerKind[];
  /** onnxruntime-node on the processor. */
  readonly node: Speed;
  /** onnxruntime-web, wasm. */
  readonly web: Speed;
  /** onnxruntime-web, WebGPU. */
  readonly webgpu: Speed;
  readonly note?: string;
}

const anyKind = ["linear", "conv", "embedding", "recurrent"] as const;

/**
 * Which forms each runtime runs, and how fast. onnxruntime 1.30; ratios are of whole models against float32, one
 * thread, x64 with VNNI; what is said of WebGPU was read in its source and not run. Operators carry codes of 3 bits in
 * 4, and those of 5 and 6 in 8; `decode` stores them in their own width.
 */
export const support: readonly Support[] = [
  {
    form: "decode",
    bits: [8, 7, 6, 5, 4, 3, 2, 1],
    kinds: anyKind,
    node: "same",
    web: "same",
    webgpu: "same",
    note: "Decoded once, at load: float's speed and float's memory. 0.98 to 1.04 × float in node and web.",
  },
  {
    form: "float16",
    bits: [16],
    kinds: anyKind,
    node: "same",
    web: "same",
    webgpu: "same",
    note: "Stored only; decoded at load. 1.01 × float in node.",
  },
  {
    form: "MatMulNBits",
    bits: [4, 3],
    kinds: ["linear"],
    node: "same",
    web: "slow",
    webgpu: "fast",
    note: "MiniLM in node 1.08 × float, 0.95 × with accuracyLevel 4 (int8 activations); web decodes on every call, 1.6 ×. WebGPU's quickest path wants block 32 and accuracyLevel 4.",
  },
  {
    form: "MatMulNBits",
    bits: [8, 6, 5],
    kinds: ["linear"],
    node: "slow",
    web: "slow",
    webgpu: "fast",
    note: "MiniLM in node 2.0 × float, 0.70 × with accuracyLevel 4; the default build of onnxruntime-web refuses 8 bits on WebGPU, its /webgpu build runs them.",
  },
  {
    form: "MatMulNBits",
    bits: [2],
    kinds: ["linear"],
    node: "slow",
    web: "slow",
    webgpu: "fast",
  },
  {
    form: "DequantizeLinear",
    bits: [8, 6, 5, 4, 3],
    kinds: ["linear"],
    node: "fast",
    web: "slow",
    webgpu: "slow",
    note: "MiniLM 0.84 × float in node, 1.37 × in web: onnxruntime-node fuses it into MatMulNBits with int8 activations, so that node and web give different numbers. 4 bits and blocks from opset 21; the default build of onnxruntime-web has no 4 bits on WebGPU.",
  },
  {
    form: "DequantizeLinear",
    bits: [8, 6, 5, 4, 3],
    kinds: ["conv"],
    node: "slow",
    web: "slow",
    webgpu: "slow",
    note: "Runs on every call: 1.46 × float in node, 1.17 × in web.",
  },
  {
    form: "GatherBlockQuantized",
    bits: [8, 6, 5, 4, 3],
    kinds: ["embedding"],
    node: "same",
    web: "same",
    webgpu: "same",
    note: "Only the rows that are asked for are decoded: MiniLM with 8 bits 1.04 × float in node. The default build of onnxruntime-web takes no uint8 tables on WebGPU and runs the node on the processor.",
  },
  { form: "GatherBlockQuantized", bits: [2], kinds: ["embedding"], node: "same", web: "same", webgpu: "unsupported" },
  {
    form: "gatherRows",
    bits: [8, 6, 5],
    kinds: ["embedding"],
    node: "same",
    web: "same",
    webgpu: "same",
    note: "Standard operators only. MiniLM 1.00 × float in node.",
  },
  {
    form: "MatMulBnb4",
    bits: [4],
    kinds: ["linear"],
    node: "slow",
    web: "slow",
    webgpu: "fast",
    note: "MiniLM 1.43 × float in node and 1.09 × in web, on 64 rows; only the /webgpu build has a kernel for WebGPU.",
  },
  {
    form: "float8",
    bits: [8],
    kinds: ["linear", "conv", "embedding"],
    node: "slow",
    web: "slow",
    webgpu: "slow",
    note: "DequantizeLinear of float8, opset 19: runs on every call, on WebGPU by the processor.",
  },
  {
    form: "tiedTable",
    bits: [8, 6, 5, 4, 3],
    kinds: ["embedding"],
    node: "slow",
    web: "slow",
    webgpu: "same",
    note: "The last product by MatMulNBits, whose speed it has; a fraction of float's memory.",
  },
  {
    form: "dynamicInt8",
    bits: [8],
    kinds: ["linear"],
    node: "fast",
    web: "fast",
    webgpu: "slow",
    note: "MiniLM 0.46 × float in node and 0.51 × in web on 64 rows; slower than float in web for one row. WebGPU has no kernel and goes back to the processor.",
  },
  {
    form: "dynamicInt8",
    bits: [8],
    kinds: ["conv"],
    node: "slow",
    web: "fast",
    webgpu: "slow",
    note: "PP-OCRv4's recogniser 1.23 × float in node and 0.66 × in web with uint8 weights; int8 ones take 4 to 6 × in node.",
  },
  {
    form: "dynamicInt8",
    bits: [8],
    kinds: ["recurrent"],
    node: "fast",
    web: "slow",
    webgpu: "unsupported",
    note: "DynamicQuantizeLSTM; LSTM only. Hidden state of 256, 100 steps: 0.45 × float in node, 1.36 × in web; 0.7 × in both for a batch of 8.",
  },
  {
    form: "staticInt8",
    bits: [8],
    kinds: ["linear", "conv"],
    node: "fast",
    web: "fast",
    webgpu: "slow",
    note: "Needs calibration. Against the same model after fold, PP-OCRv4's take 0.77 to 0.83 × in node and 0.65 to 0.72 × in web; with int8 activations as long as float.",
  },
];

/** The row of a form for a kind of layer. */
export const supportOf = (form: SchemeForm, bits: number, kind: LayerKind): Support | undefined =>
  support.find((row) => row.form === form && row.bits.includes(bits) && row.kinds.includes(kind));

/** `runtimes` of a report's entry: how each runtime runs a form; nothing where the table has no row for it. */
export const runtimesOf = (form: SchemeForm, bits: number, kind: LayerKind): Pick<ReportEntry, "runtimes"> => {
  const row = supportOf(form, bits, kind);
  return row ? { runtimes: { node: row.node, web: row.web, webgpu: row.webgpu } } : {};
};

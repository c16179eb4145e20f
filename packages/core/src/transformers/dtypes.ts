/**
 * What transformers.js calls the forms that a model is stored in, and what it appends to the name of a file for each.
 * Source: @huggingface/transformers 4.3, `dtypes.js`.
 */
export const transformersDtypes = {
  fp32: "",
  fp16: "_fp16",
  q8: "_quantized",
  int8: "_int8",
  uint8: "_uint8",
  q4: "_q4",
  q4f16: "_q4f16",
  bnb4: "_bnb4",
  q2: "_q2",
  q2f16: "_q2f16",
  q1: "_q1",
  q1f16: "_q1f16",
} as const;

export type TransformersDtype = keyof typeof transformersDtypes;

/** Name of a model file without `.onnx` and without what tells its dtype. */
export const baseOf = (file: string): string => {
  const name = file.replace(/\.onnx$/i, "");
  const suffix = Object.values(transformersDtypes).find((end) => end !== "" && name.endsWith(end)) ?? "";
  return name.slice(0, name.length - suffix.length);
};

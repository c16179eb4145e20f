import { type Row, row } from "../../op.ts";
import { formats } from "./formats.ts";
import { packedGemm } from "./gemm.ts";
import { packedGemv } from "./gemv.ts";
import { packedOps } from "./op.ts";
import { packedReference } from "./reference.ts";

/** One row for each kind of product, number of bits, and type of activations. */
export const packedRows: readonly Row[] = packedOps.map(({ kind, bits, type, op }) => {
  const format = formats[bits];
  const wasm = kind === "gemv" ? packedGemv(format, type) : packedGemm(format, type);
  return row(op, packedReference(format), wasm);
});

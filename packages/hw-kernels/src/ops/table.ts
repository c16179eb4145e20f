import { type Row, row } from "../op.ts";
import { activate } from "./activate/op.ts";
import { activateReference } from "./activate/reference.ts";
import { activateWasm } from "./activate/wasm.ts";
import { bytePlanes } from "./byte-planes/op.ts";
import { bytePlanesReference } from "./byte-planes/reference.ts";
import { bytePlanesWasm } from "./byte-planes/wasm.ts";
import { conv2d } from "./conv2d/op.ts";
import { conv2dReference } from "./conv2d/reference.ts";
import { conv2dWasm } from "./conv2d/wasm.ts";
import { conv2dFilter } from "./conv2d-filter/op.ts";
import { conv2dFilterReference } from "./conv2d-filter/reference.ts";
import { conv2dFilterWasm } from "./conv2d-filter/wasm.ts";
import { depthwise } from "./depthwise/op.ts";
import { depthwiseReference } from "./depthwise/reference.ts";
import { depthwiseWasm } from "./depthwise/wasm.ts";
import { depthwiseFilter } from "./depthwise-filter/op.ts";
import { depthwiseFilterReference } from "./depthwise-filter/reference.ts";
import { depthwiseFilterWasm } from "./depthwise-filter/wasm.ts";
import { factor64 } from "./factor64/op.ts";
import { factor64Reference } from "./factor64/reference.ts";
import { factor64Wasm } from "./factor64/wasm.ts";
import { fakeQuant } from "./fake-quant/op.ts";
import { fakeQuantReference } from "./fake-quant/reference.ts";
import { fakeQuantWasm } from "./fake-quant/wasm.ts";
import { gemm } from "./gemm/op.ts";
import { gemmReference } from "./gemm/reference.ts";
import { gemmWasm } from "./gemm/wasm.ts";
import { gemm64 } from "./gemm64/op.ts";
import { gemm64Reference } from "./gemm64/reference.ts";
import { gemm64Wasm } from "./gemm64/wasm.ts";
import { gemv } from "./gemv/op.ts";
import { gemvReference } from "./gemv/reference.ts";
import { gemvWasm } from "./gemv/wasm.ts";
import { histogram } from "./histogram/op.ts";
import { histogramReference } from "./histogram/reference.ts";
import { histogramWasm } from "./histogram/wasm.ts";
import { int8 } from "./int8/op.ts";
import { int8Reference } from "./int8/reference.ts";
import { int8Wasm } from "./int8/wasm.ts";
import { jacobi64 } from "./jacobi64/op.ts";
import { jacobi64Reference } from "./jacobi64/reference.ts";
import { jacobi64Wasm } from "./jacobi64/wasm.ts";
import { norm } from "./norm/op.ts";
import { normReference } from "./norm/reference.ts";
import { normWasm } from "./norm/wasm.ts";
import { packedRows } from "./packed/rows.ts";
import { quantizeActivations } from "./quantize-activations/op.ts";
import { quantizeActivationsReference } from "./quantize-activations/reference.ts";
import { quantizeActivationsWasm } from "./quantize-activations/wasm.ts";
import { quantizeBlocks } from "./quantize-blocks/op.ts";
import { quantizeBlocksReference } from "./quantize-blocks/reference.ts";
import { quantizeBlocksWasm } from "./quantize-blocks/wasm.ts";
import { quantizeColumns } from "./quantize-columns/op.ts";
import { quantizeColumnsReference } from "./quantize-columns/reference.ts";
import { quantizeColumnsWasm } from "./quantize-columns/wasm.ts";
import { range } from "./range/op.ts";
import { rangeReference } from "./range/reference.ts";
import { rangeWasm } from "./range/wasm.ts";
import { reflect64 } from "./reflect64/op.ts";
import { reflect64Reference } from "./reflect64/reference.ts";
import { reflect64Wasm } from "./reflect64/wasm.ts";
import { requantize, rescale } from "./rescale/op.ts";
import { requantizeReference, rescaleReference } from "./rescale/reference.ts";
import { requantizeWasm, rescaleWasm } from "./rescale/wasm.ts";
import { rope } from "./rope/op.ts";
import { ropeReference } from "./rope/reference.ts";
import { ropeWasm } from "./rope/wasm.ts";
import { rotate64 } from "./rotate64/op.ts";
import { rotate64Reference } from "./rotate64/reference.ts";
import { rotate64Wasm } from "./rotate64/wasm.ts";
import { softmax } from "./softmax/op.ts";
import { softmaxReference } from "./softmax/reference.ts";
import { softmaxWasm } from "./softmax/wasm.ts";
import { solve64 } from "./solve64/op.ts";
import { solve64Reference } from "./solve64/reference.ts";
import { solve64Wasm } from "./solve64/wasm.ts";
import { spmm } from "./spmm/op.ts";
import { spmmReference } from "./spmm/reference.ts";
import { spmmWasm } from "./spmm/wasm.ts";
import { syrk } from "./syrk/op.ts";
import { syrkReference } from "./syrk/reference.ts";
import { syrkWasm } from "./syrk/wasm.ts";
import { transpose } from "./transpose/op.ts";
import { transposeReference } from "./transpose/reference.ts";
import { transposeWasm } from "./transpose/wasm.ts";
import { update64 } from "./update64/op.ts";
import { update64Reference } from "./update64/reference.ts";
import { update64Wasm } from "./update64/wasm.ts";

/**
 * Every op. A folder and a row here are the whole of adding one:
 *
 *     ops/<op>/op.ts         arguments, maths and layout in the doc comment, lengths, cases, tolerance, sample
 *     ops/<op>/reference.ts  plain loops in float64 or exact integers
 *     ops/<op>/wasm.ts       variants: a name, a level, and a function that emits a module with `run`
 *
 * The tests run each variant on each case at several alignments (and relaxed ones as every host would), each load proves
 * the variants that it uses on the "load" cases, and picking times them on the sample. What users call stands in `api/`.
 */
export const table: readonly Row[] = [
  row(gemm, gemmReference, gemmWasm),
  row(gemv, gemvReference, gemvWasm),
  row(syrk, syrkReference, syrkWasm),
  row(spmm, spmmReference, spmmWasm),
  row(gemm64, gemm64Reference, gemm64Wasm),
  row(solve64, solve64Reference, solve64Wasm),
  row(factor64, factor64Reference, factor64Wasm),
  row(reflect64, reflect64Reference, reflect64Wasm),
  row(update64, update64Reference, update64Wasm),
  row(rotate64, rotate64Reference, rotate64Wasm),
  row(jacobi64, jacobi64Reference, jacobi64Wasm),
  row(conv2d, conv2dReference, conv2dWasm),
  row(depthwise, depthwiseReference, depthwiseWasm),
  row(conv2dFilter, conv2dFilterReference, conv2dFilterWasm),
  row(depthwiseFilter, depthwiseFilterReference, depthwiseFilterWasm),
  row(activate, activateReference, activateWasm),
  row(norm, normReference, normWasm),
  row(rope, ropeReference, ropeWasm),
  row(quantizeBlocks, quantizeBlocksReference, quantizeBlocksWasm),
  row(quantizeColumns, quantizeColumnsReference, quantizeColumnsWasm),
  row(range, rangeReference, rangeWasm),
  row(histogram, histogramReference, histogramWasm),
  row(fakeQuant, fakeQuantReference, fakeQuantWasm),
  row(transpose, transposeReference, transposeWasm),
  row(bytePlanes, bytePlanesReference, bytePlanesWasm),
  row(quantizeActivations.i8, quantizeActivationsReference("i8"), quantizeActivationsWasm("i8")),
  row(quantizeActivations.i16, quantizeActivationsReference("i16"), quantizeActivationsWasm("i16")),
  ...packedRows,
  row(int8, int8Reference, int8Wasm),
  row(rescale, rescaleReference, rescaleWasm),
  row(requantize, requantizeReference, requantizeWasm),
  row(softmax, softmaxReference, softmaxWasm),
];

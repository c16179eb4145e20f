import { sizeOf } from "../tensor.ts";
import { floatsOf } from "./matmul.ts";
import type { KernelFunction } from "./tf.ts";

/** Kernel `UnsortedSegmentSum`, the gradient of gathered rows: rows of `x` summed by `segmentIds`; others count nowhere. */
export const unsortedSegmentSum: KernelFunction = ({ inputs, backend, attrs }) => {
  const [x, ids] = [inputs.x!, inputs.segmentIds!];
  const count = attrs.numSegments as number;
  const width = sizeOf(x.shape.slice(ids.shape.length));
  const out = backend.makeOutput([count, ...x.shape.slice(ids.shape.length)], x.dtype);
  const sums = backend.typedArrayFromHeap(out);
  const rows = x.dtype === "float32" ? floatsOf(backend, x) : backend.typedArrayFromHeap(x);
  sums.fill(0);
  backend.typedArrayFromHeap(ids).forEach((segment: number, row: number) => {
    if (segment < 0 || segment >= count) return;
    for (let i = 0; i < width; i++) sums[segment * width + i] = sums[segment * width + i]! + rows[row * width + i]!;
  });
  return out;
};

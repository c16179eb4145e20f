import { attrs, makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import type { Grid } from "../grid/grid.ts";
import { nearest } from "../grid/nearest.ts";
import type { Range } from "../range/calibrators.ts";
import type { Names, Piece } from "./piece.ts";

const LEVELS = 255;
const INT32_MAX = 2 ** 31 - 1;

/** Scale and zero point of uint8 over a range; zero is exact. SPEC 0.1: s = (hi - lo) / 255, z = round(-lo / s). */
export const affineOf = ({ low, high }: Range): { readonly scale: number; readonly zero: number } => {
  const [lo, hi] = [Math.min(0, low), Math.max(0, high)];
  if (hi === lo) return { scale: 1, zero: 0 };
  const scale = Math.fround((hi - lo) / LEVELS);
  return { scale, zero: Math.max(0, Math.min(LEVELS, nearest(-lo / scale))) };
};

/** QuantizeLinear and DequantizeLinear of an activation, uint8 with a fixed range: `from` becomes `to`. */
export const activationPair = (from: string, to: string, range: Range, fresh: Names): Piece => {
  const { scale, zero } = affineOf(range);
  const [scaleName, zeroName, codes] = [fresh(`${from}_s`), fresh(`${from}_z`), fresh(`${from}_q`)];
  const nodes: Node[] = [
    makeNode("QuantizeLinear", [from, scaleName, zeroName], [codes]),
    makeNode("DequantizeLinear", [codes, scaleName, zeroName], [to]),
  ];
  const weights = new Map<string, Tensor>([
    [scaleName, tensor("float32", [], Float32Array.of(scale))],
    [zeroName, tensor("uint8", [], Uint8Array.of(zero))],
  ]);
  return { nodes, weights };
};

/** A bias as int32 at the scale of the sums, activation scale times weight scale, decoded by DequantizeLinear. */
export const biasPiece = (
  name: string,
  bias: Float32Array,
  grid: Grid,
  range: Range,
  fresh: Names,
): Piece & { readonly value: string } => {
  const { scale } = affineOf(range);
  const scales = Float32Array.from(bias, (_, i) => Math.fround(scale * grid.scales[i]!));
  const codes = Int32Array.from(bias, (value, i) => {
    const code = nearest(value / scales[i]!);
    return Math.max(-INT32_MAX, Math.min(INT32_MAX, code));
  });
  const [codesName, scaleName, zeroName, value] = [
    fresh(`${name}_q`),
    fresh(`${name}_s`),
    fresh(`${name}_z`),
    fresh(`${name}_d`),
  ];
  return {
    value,
    nodes: [makeNode("DequantizeLinear", [codesName, scaleName, zeroName], [value], { axis: attrs.int(0) })],
    weights: new Map<string, Tensor>([
      [codesName, tensor("int32", [bias.length], codes)],
      [scaleName, tensor("float32", [bias.length], scales)],
      [zeroName, tensor("int32", [bias.length], new Int32Array(bias.length))],
    ]),
  };
};

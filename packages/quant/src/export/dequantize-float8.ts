import { attrs, makeNode, tensor } from "@espalier/core";
import type { ValueGrid } from "../grid/value-grid.ts";
import { type ChannelView, scatterChannels } from "./channel-view.ts";
import type { DecodedWeight } from "./decode-int8.ts";
import type { Names, Piece } from "./piece.ts";
import { storeAs } from "./scales.ts";

/** First opset of float8. Source: onnx, operator changelog. */
export const FLOAT8_OPSET = 19;

/**
 * A weight in float8, decoded by `DequantizeLinear` with one scale a channel, on every call.
 *
 * @param grid [channels, outer * inner], one block a row
 */
export const dequantizeFloat8 = (
  { name, dims, type }: DecodedWeight,
  grid: ValueGrid,
  format: "e4m3" | "e5m2",
  view: ChannelView,
  fresh: Names,
): Piece => {
  const [codes, scale] = [fresh(`${name}_q`), fresh(`${name}_s`)];
  const stored = storeAs(scale, [view.channels], grid.scales, type);
  const element = format === "e5m2" ? "float8e5m2" : "float8e4m3fn";
  const axis = dims.length - Math.max(1, view.scaleDims.length);
  return {
    nodes: [...stored.nodes, makeNode("DequantizeLinear", [codes, scale], [name], { axis: attrs.int(axis) })],
    weights: new Map([[codes, tensor(element, dims, scatterChannels(grid.codes, view))], ...stored.weights]),
  };
};

import type { Node } from "@espalier/core";
import type { FixedBias, FixedValue, FixedWeight } from "./fixed.ts";
import type { Piece } from "./piece.ts";

/** A layer on integers, at one of its uses. */
export interface StaticUse {
  readonly node: Node;
  /** The Relu or Clip behind it that its range stands for, or the node itself. */
  readonly last: Node;
  readonly input: FixedValue;
  /** Name of what DequantizeLinear makes of the input's codes, where the form has it. */
  readonly decoded: string;
  /** Where the form gives integers: its result on a grid, that of `last`. */
  readonly output?: FixedValue;
  readonly weight: FixedWeight;
  readonly bias?: FixedBias;
  /** Something beside layers on integers reads the result. */
  readonly readAsFloat: boolean;
}

/** How layers on integers stand in a file. */
export interface StaticForm {
  /** True where the result of a layer is on a grid, which calibration must fix. */
  gridded(node: Node): boolean;
  /** What the report calls it. */
  label(node: Node): string;
  /** What brings a float value onto its grid, as codes and, where the form has it, as `decoded`. */
  enter(value: FixedValue, decoded: string): Piece;
  /** What makes the weight, in place of it; undefined where layers read its codes. */
  weight(weight: FixedWeight): Piece | undefined;
  /** What stands in place of the node. */
  node(use: StaticUse): Piece;
  /** What stands in place of the Relu or Clip behind it. */
  last(use: StaticUse): Piece;
}

import { floatsOf, makeNode, string, stringOf } from "../attrs.ts";
import type { Node } from "../model.ts";
import { tensor } from "../tensor.ts";
import { type Rewrite, type RewriteContext, withAttributes, withInputs } from "./rewrite.ts";

/** Upsample 9: `scales` becomes an input. */
export const upsampleScales: Rewrite = (node, context) => {
  const scales = floatsOf(node, "scales") ?? [];
  const name = context.constant(
    `${node.outputs[0]}_scales`,
    tensor("float32", [scales.length], Float32Array.from(scales)),
  );
  return [withInputs(withAttributes(node, ["scales"]), [node.inputs[0], name])];
};

/** Upsample was replaced by Resize 10, which has the same form. */
export const upsampleToResize: Rewrite = (node) => [{ ...node, opType: "Resize" }];

const NO_REGION = tensor("float32", [0], new Float32Array());

const asymmetric = (node: Node, roi: string, scales: string, nearest: string | undefined): Node => ({
  ...withAttributes(node, [], {
    mode: string(nearest ? "nearest" : "linear"),
    coordinate_transformation_mode: string("asymmetric"),
    ...(nearest && { nearest_mode: string(nearest) }),
  }),
  inputs: [node.inputs[0], roi, scales],
});

/** First up by the scales above 1, then down by those below 1: axes are independent, and scale 1 keeps an axis. */
const upThenDown = (node: Node, roi: string, context: RewriteContext): Node[] => {
  const [output] = node.outputs;
  const one = context.constant(`${output}_one`, tensor("float32", [], Float32Array.of(1)));
  const up = context.fresh(`${output}_scales_up`);
  const down = context.fresh(`${output}_scales_down`);
  const between = context.fresh(`${output}_up`);
  return [
    makeNode("Max", [node.inputs[1], one], [up]),
    makeNode("Min", [node.inputs[1], one], [down]),
    { ...asymmetric(node, roi, up, "floor"), name: "", outputs: [between] },
    asymmetric({ ...node, inputs: [between] }, roi, down, "ceil"),
  ];
};

/**
 * Resize 11 names the coordinates. Resize 10 read
 *
 *     x = i / scale        nearest: floor(x) where the axis grows, ceil(x) where it shrinks
 */
export const resizeModes: Rewrite = (node, context) => {
  const roi = context.constant(`${node.outputs[0]}_roi`, NO_REGION);
  const scales = node.inputs[1] ?? "";
  if (scales === "") return "it has no scales";
  const mode = stringOf(node, "mode") ?? "nearest";
  if (mode !== "nearest" && mode !== "linear") return `its mode "${mode}" is not one of Resize 10`;
  if (mode === "linear") return [asymmetric(node, roi, scales, undefined)];
  const known = context.constantOf(scales);
  if (known?.type === "float32") {
    const values = [...(known.data as Float32Array)];
    if (values.every((scale) => scale >= 1)) return [asymmetric(node, roi, scales, "floor")];
    if (values.every((scale) => scale <= 1)) return [asymmetric(node, roi, scales, "ceil")];
  }
  return upThenDown(node, roi, context);
};

/** Resize 13 has no "tf_half_pixel_for_nn"; unused inputs are left out instead of empty. */
export const resizeInputs: Rewrite = (node, context) => {
  const mode = stringOf(node, "coordinate_transformation_mode");
  if (mode === "tf_half_pixel_for_nn") return `Resize 13 has no coordinate_transformation_mode "${mode}"`;
  const [input, region = "", scales = "", sizes = ""] = node.inputs;
  const cropped = mode === "tf_crop_and_resize";
  const isEmpty = (name: string) => name !== "" && context.constantOf(name)?.dims.includes(0) === true;
  return [withInputs(node, [input, !cropped && isEmpty(region) ? "" : region, isEmpty(scales) ? "" : scales, sizes])];
};

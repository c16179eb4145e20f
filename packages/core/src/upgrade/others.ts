import { int, intOf, makeNode, string, stringOf } from "../attrs.ts";
import { type Rewrite, withAttributes } from "./rewrite.ts";
import { int64s } from "./to-inputs.ts";

const firstOutputOnly = (outputs: readonly string[]) => outputs.slice(0, 1);

/** Dropout 10: the mask is boolean; before, it had the type of the data. */
export const dropoutMask: Rewrite = (node, context) => {
  const mask = node.outputs[1] ?? "";
  if (mask !== "" && context.isRead(mask)) return `its mask "${mask}" is read, and changes type in Dropout 10`;
  return [{ ...node, outputs: firstOutputOnly(node.outputs) }];
};

/**
 * Dropout 12: ratio and training mode are inputs; without them it passes its input on, as Dropout 7 and 10 do. Its
 * mask is then all true; before, runtimes give all false.
 */
export const dropoutToInputs: Rewrite = (node, context) => {
  const mask = node.outputs[1] ?? "";
  if (mask !== "" && context.isRead(mask)) return `its mask "${mask}" is read, and changes meaning in Dropout 12`;
  return [{ ...withAttributes(node, ["ratio"]), outputs: firstOutputOnly(node.outputs) }];
};

/** BatchNormalization 9 is always per channel. */
export const batchNormSpatial: Rewrite = (node) =>
  intOf(node, "spatial", 1) === 1
    ? [withAttributes(node, ["spatial"])]
    : "spatial = 0 (statistics for each element) is gone since BatchNormalization 9";

/** BatchNormalization 14 says training by an attribute; before, more than one output did. */
export const batchNormInference: Rewrite = (node, context) => {
  const training = node.outputs.slice(1).filter((output) => output !== "" && context.isRead(output));
  if (training.length > 0) return `its training outputs "${training.join('", "')}" are read`;
  return [{ ...node, outputs: firstOutputOnly(node.outputs) }];
};

/** Scatter is called ScatterElements since 11. */
export const scatterElements: Rewrite = (node) => [{ ...node, opType: "ScatterElements" }];

/** Scan 9 has no batch axis and no sequence lengths. */
export const scanRefused: Rewrite = () => "Scan 8 runs along a batch axis with sequence lengths, which Scan 9 has not";

/** RoiAlign 16 shifts by half a pixel by default; before, it never did. */
export const roiAlignMode: Rewrite = (node) => [
  withAttributes(node, [], { coordinate_transformation_mode: string("output_half_pixel") }),
];

const GRID_MODES: Readonly<Record<string, string>> = { bilinear: "linear", bicubic: "cubic", nearest: "nearest" };

/** GridSample 20 has new names for its modes. */
export const gridSampleMode: Rewrite = (node) => {
  const mode = stringOf(node, "mode") ?? "bilinear";
  const renamed = GRID_MODES[mode];
  return renamed === undefined
    ? `its mode "${mode}" is not one of GridSample 16`
    : [withAttributes(node, [], { mode: string(renamed) })];
};

/**
 * GroupNormalization 21 has a scale and a bias for each channel; before, for each group:
 *
 *     scale'[c] = scale[floor(c / (channels / groups))]
 */
export const groupNormChannels: Rewrite = (node, context) => {
  const [input, scale = "", bias = ""] = node.inputs;
  if (scale === "" || bias === "") return "it has no scale or no bias";
  const [output] = node.outputs;
  const groups = intOf(node, "num_groups", 1);
  const channels = context.fresh(`${output}_channels`);
  const each = context.fresh(`${output}_group_size`);
  const shape = context.fresh(`${output}_groups_shape`);
  const count = context.constant(`${output}_groups`, int64s([groups]));
  const last = context.constant(`${output}_last`, int64s([1]));
  const flat = context.constant(`${output}_flat`, int64s([-1]));
  const perChannel = (name: string, hint: string) => {
    const column = context.fresh(`${output}_${hint}_column`);
    const grid = context.fresh(`${output}_${hint}_grid`);
    const result = context.fresh(`${output}_${hint}`);
    return {
      result,
      nodes: [
        makeNode("Unsqueeze", [name, last], [column]),
        makeNode("Expand", [column, shape], [grid]),
        makeNode("Reshape", [grid, flat], [result]),
      ],
    };
  };
  const wideScale = perChannel(scale, "scale");
  const wideBias = perChannel(bias, "bias");
  return [
    makeNode("Shape", [input], [channels], { start: int(1), end: int(2) }),
    makeNode("Div", [channels, count], [each]),
    makeNode("Concat", [count, each], [shape], { axis: int(0) }),
    ...wideScale.nodes,
    ...wideBias.nodes,
    { ...node, inputs: [input, wideScale.result, wideBias.result] },
  ];
};

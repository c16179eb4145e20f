import {
  type Attribute,
  attrs,
  edit,
  type FloatType,
  floatTensor,
  type Layer,
  labelOf,
  type Model,
  makeNode,
} from "@espalier/core";
import { scopesOf } from "./scopes.ts";

/** One convolution of a row that takes the place of one: its weight, and the axes of the kernel that it looks along. */
export interface Stage {
  /** [out, in / groups, ...kernel] */
  readonly dims: readonly number[];
  readonly values: Float32Array;
  readonly groups: number;
  /** Spatial axes whose strides, pads and dilations it takes over; along the others it is 1 wide. */
  readonly axes: readonly number[];
  /** Behind the node's name. */
  readonly suffix: string;
}

export interface Staged {
  readonly layer: Layer;
  readonly stages: readonly Stage[];
}

/** Attributes of a stage: those of the node along its axes, and those of a 1-wide kernel along the others. */
const attributesOf = ({ node }: Layer, { dims, groups, axes }: Stage): Record<string, Attribute> => {
  const rank = dims.length - 2;
  const along = (name: string, usual: number, ends: 1 | 2): number[] => {
    const given = attrs.intsOf(node, name);
    return Array.from({ length: ends * rank }, (_, i) => (axes.includes(i % rank) ? (given?.[i] ?? usual) : usual));
  };
  const autoPad = attrs.stringOf(node, "auto_pad") ?? "NOTSET";
  return {
    kernel_shape: attrs.ints(dims.slice(2)),
    ...(groups > 1 && { group: attrs.int(groups) }),
    ...(axes.length > 0 && {
      strides: attrs.ints(along("strides", 1, 1)),
      dilations: attrs.ints(along("dilations", 1, 1)),
    }),
    // a kernel that is 1 wide along an axis, with stride 1, is padded by nothing there, whichever the rule
    ...(axes.length > 0 &&
      (autoPad === "NOTSET" ? { pads: attrs.ints(along("pads", 0, 2)) } : { auto_pad: attrs.string(autoPad) })),
  };
};

const FREE_INITIALIZERS = 4;

/** The model with a row of convolutions in place of each of those layers; the last one has the bias. */
export const putStages = (model: Model, all: readonly Staged[]): Model => {
  if (all.length === 0) return model;
  const scopes = scopesOf(model);
  return edit(model, (draft) => {
    const byPath = new Map(draft.graphs().map((graph) => [graph.path.join("\n"), graph]));
    draft.irVersion(FREE_INITIALIZERS);
    for (const { layer, stages } of all) {
      const { weight, uses } = layer;
      const owner = byPath.get(scopes.get(weight.owner)!.path.join("\n"))!;
      owner.inputs = owner.inputs.filter(({ name }) => name !== weight.name);
      const names = stages.map(({ dims, values, suffix }) =>
        owner.addWeight(`${weight.name}_${suffix}`, floatTensor(weight.tensor.type as FloatType, dims, values)),
      );
      for (const { node, path, input } of uses) {
        const graph = byPath.get(path.join("\n"))!;
        let value = input;
        const made = stages.map((stage, i) => {
          const last = i === stages.length - 1;
          const label = `${labelOf(node)}_${stage.suffix}`;
          const outputs = last ? node.outputs : [graph.uniqueName(label)];
          const inputs = [value, names[i], ...(last ? node.inputs.slice(2) : [])];
          [value] = outputs;
          const name = node.name === "" && last ? "" : label;
          return makeNode("Conv", inputs, outputs, attributesOf(layer, stage), { name });
        });
        graph.replace(node, ...made);
      }
    }
  });
};

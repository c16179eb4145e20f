import { attrs, edit, type Layer, labelOf, type Model, makeNode, type Node, type Tensor, tensor } from "@espalier/core";

const BIASED: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Gemm"]);

const takesBias = (node: Node): boolean =>
  node.domain === "" && BIASED.has(node.opType) && attrs.floatOf(node, "beta", 1) === 1;

/** How a vector over the output's channels lies for an Add behind the node. */
const shapeBehind = ({ kind, weight: { dims } }: Layer): number[] =>
  kind === "conv" ? [1, dims[0], ...dims.slice(2).map(() => 1)] : [dims[0]];

/**
 * The model with a shift added to the output of layers, over their `out` axis: to the bias of the operator where it
 * takes one, else by an Add behind it.
 *
 * @param biases values of the biases of the layers, by name
 */
export const putShifts = (
  model: Model,
  shifts: readonly { readonly layer: Layer; readonly shift: Float32Array }[],
  biases: ReadonlyMap<string, Tensor<"float32">>,
): Model =>
  edit(model, ({ graph }) => {
    for (const { layer, shift } of shifts)
      for (const { node } of layer.uses) {
        const now = graph.latest(node)!;
        const bias = now.inputs[2] ?? "";
        const given = bias === "" ? new Float32Array(shift.length) : biases.get(bias)?.data;
        if (takesBias(now) && given?.length === shift.length) {
          const made = tensor(
            "float32",
            [shift.length],
            shift.map((value, i) => value + given[i]),
          );
          const users = graph.nodes().filter(({ inputs }) => inputs.includes(bias));
          if (graph.weights().has(bias) && users.length === 1) graph.setWeight(bias, made);
          else {
            const name = graph.addWeight(bias || `${layer.weight.name}_bias`, made);
            graph.replace(now, { ...now, inputs: [now.inputs[0], now.inputs[1], name] });
          }
          continue;
        }
        const [output] = now.outputs;
        const inner = graph.uniqueName(`${output}_before_shift`);
        const name = graph.addWeight(`${output}_shift`, tensor("float32", shapeBehind(layer), shift));
        graph.replace(
          now,
          { ...now, name: labelOf(now), outputs: [inner, ...now.outputs.slice(1)] },
          makeNode("Add", [inner, name], [output], {}, { name: graph.uniqueName(`${labelOf(now)}_shift`) }),
        );
      }
  });

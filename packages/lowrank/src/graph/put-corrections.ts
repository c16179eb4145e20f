import { attrs, edit, floatTensor, type Layer, type Model, makeNode, permute, producers } from "@espalier/core";
import type { Factors } from "../factor/factors.ts";

export interface Correction {
  /** Of the model before it was quantized: its input and output are the places where the correction goes. */
  readonly layer: Layer;
  readonly factors: Factors;
}

/** How the factors are stored; float16 is cast back, which onnxruntime does when it loads the model. */
export type FactorStorage = "float32" | "float16";

const FLOAT = 1;

/** y = (what the quantized layer gives) + x · downᵀ · upᵀ, for each layer. */
export const putCorrections = (model: Model, all: readonly Correction[], storage: FactorStorage): Model => {
  if (all.length === 0) return model;
  const makers = producers(model.graph);
  return edit(model, ({ graph }) => {
    const stored = (hint: string, dims: readonly number[], values: Float32Array): string => {
      const name = graph.addWeight(hint, floatTensor(storage, dims, values));
      if (storage === "float32") return name;
      const cast = graph.uniqueName(`${hint}_f`);
      graph.add(makeNode("Cast", [name], [cast], { to: attrs.int(FLOAT) }, { name: cast }));
      return cast;
    };
    for (const { layer, factors } of all) {
      const { name, input, output } = layer;
      const { rank, up, down } = factors;
      const [m, n] = [up.length / rank, down.length / rank];
      const [narrow, wide, coarse, fine] = ["down", "up", "q", "lr"].map((end) => graph.uniqueName(`${name}_${end}`));
      const maker = graph.latest(makers.get(output)!)!;
      graph.replace(maker, { ...maker, outputs: maker.outputs.map((value) => (value === output ? coarse : value)) });
      const downName = stored(`${layer.weight.name}_down`, [n, rank], permute(down, [rank, n], [1, 0]));
      const upName = stored(`${layer.weight.name}_up`, [rank, m], permute(up, [m, rank], [1, 0]));
      graph.add(
        makeNode("MatMul", [input, downName], [narrow], {}, { name: narrow }),
        makeNode("MatMul", [narrow, upName], [wide], {}, { name: wide }),
        makeNode("Add", [coarse, wide], [output], {}, { name: fine }),
      );
    }
  });
};

import {
  attrs,
  definePass,
  edit,
  type Layer,
  layers,
  type Model,
  makeNode,
  mapLayers,
  type Pass,
  tensor,
} from "@espalier/core";

/** Adding this leaves no bits behind the point: the nearest whole number, halves to even. */
const MAGIC = 1.5 * 2 ** 52;

/** A quantizer for tests: each output channel rounded to 2 levels + 1 steps of its largest weight. */
export const roundRows = (levels: number): Pass =>
  definePass({
    name: "test/round-rows",
    stage: "quantize",
    apply: (model) =>
      mapLayers(model, ({ kind, weight }, w) =>
        kind === "linear" ? rounded(w, weight.dims, levels).values : undefined,
      ),
  });

const rounded = (w: Float32Array, [rows]: readonly number[], levels: number) => {
  const columns = w.length / rows;
  const [codes, scales] = [new Int8Array(w.length), new Float32Array(rows)];
  const values = w.map((value, at) => {
    const row = Math.floor(at / columns);
    const largest = w.subarray(row * columns, (row + 1) * columns).reduce((max, x) => Math.max(max, Math.abs(x)), 0);
    scales[row] = largest / levels || 1;
    codes[at] = value / scales[row] + MAGIC - MAGIC;
    return codes[at] * scales[row];
  });
  return { values, codes, scales };
};

/** The same as int8 codes that nodes of the graph decode, for the MatMul layers of a model. */
export const roundedCodes = (levels: number): Pass =>
  definePass({
    name: "test/rounded-codes",
    stage: "quantize",
    async apply(model): Promise<Model> {
      const found: [Layer, ReturnType<typeof rounded>][] = [];
      for (const layer of layers(model))
        if (layer.node.opType === "MatMul")
          found.push([layer, rounded(await layer.weight.read(), layer.weight.dims, levels)]);
      return edit(model, ({ graph }) => {
        for (const [{ node, weight }, { codes, scales }] of found) {
          const [m, n] = weight.dims;
          const q = graph.addWeight(`${weight.name}_q`, tensor("int8", [m, n], codes));
          const s = graph.addWeight(`${weight.name}_s`, tensor("float32", [m, 1], scales));
          const [f, d, t] = ["f", "d", "t"].map((end) => graph.uniqueName(`${weight.name}_${end}`));
          graph.add(
            makeNode("Cast", [q], [f], { to: attrs.int(1) }),
            makeNode("Mul", [f, s], [d]),
            makeNode("Transpose", [d], [t], { perm: attrs.ints([1, 0]) }),
          );
          graph.replace(node, { ...node, inputs: [node.inputs[0], t] });
        }
      });
    },
  });

import {
  checkAborted,
  definePass,
  edit,
  floatValues,
  type Layer,
  layers,
  type Model,
  makeNode,
  type Node,
  type Pass,
  type Selection,
  tensor,
  unselected,
} from "@espalier/core";
import { type Matrix, matmul, matrix, transpose } from "@espalier/core/linalg";
import { readElsewhere } from "../other-readers.ts";
import { rotation } from "../solve/rotation.ts";
import { residualStreams, type Stream } from "./residual-stream.ts";

export interface QuaRotOptions extends Selection {
  /** Randomized Hadamard matrices, or random orthogonal ones. */
  readonly rotation?: "hadamard" | "random";
  /**
   * Inputs of linear layers that no stream gives (the second matrix of a feed-forward layer, the output of attention) are
   * rotated too, by a product at every run.
   */
  readonly online?: boolean;
}

const NAME = "quant/qua-rot";

/** Weights [out, in] in doubles, read when first asked for. */
const openWeights = () => {
  const read = new Map<Layer, Matrix>();
  return {
    async of(layer: Layer): Promise<Matrix> {
      const found = read.get(layer) ?? matrix(layer.weight.dims[0]!, layer.weight.dims[1]!, await layer.weight.read());
      read.set(layer, found);
      return found;
    },
    set: (layer: Layer, w: Matrix) => void read.set(layer, w),
    all: () => read,
  };
};

const byColumns = (w: Matrix, scale: ArrayLike<number>): Matrix => ({
  ...w,
  data: w.data.map((value, i) => value * scale[i % w.columns]!),
});

/** Rotates what meets a stream in the weights: [out, in] R of readers, Rᵀ [out, in] of sources, rows of tables. */
const foldStream = async (stream: Stream, r: Matrix, weights: ReturnType<typeof openWeights>, model: Model) => {
  for (const layer of stream.readers) weights.set(layer, matmul(await weights.of(layer), r));
  for (const { gamma, readers } of stream.scales) {
    const scale = await floatValues(model.graph.weights.get(gamma)!);
    for (const layer of readers) weights.set(layer, matmul(byColumns(await weights.of(layer), scale), r));
  }
  for (const layer of stream.sources) {
    const w = await weights.of(layer);
    weights.set(layer, layer.kind === "embedding" ? matmul(w, r) : matmul(r, w, { transposeA: true }));
  }
  const biases = new Map<string, Float32Array>();
  for (const name of stream.biases) {
    const bias = await floatValues(model.graph.weights.get(name)!);
    biases.set(name, Float32Array.from(matmul(matrix(1, bias.length, bias), r).data));
  }
  return biases;
};

/**
 * Rotations that spread outliers over all channels, so that fewer bits hold weights and activations; the function of the
 * model stays the same to rounding.
 *
 *     x -> x R    W -> W R of what reads it, after W diag(γ) of its norm    W -> Rᵀ W of what makes it    R Rᵀ = I
 *
 * R is folded into the weights around residual streams that are normalized by their root mean square, which no rotation
 * changes; where a stream meets something else, the product with R or Rᵀ is inserted. LayerNormalization subtracts a mean
 * that is no mean after a rotation: such models are left alone, but for what `online` inserts. Source: arXiv:2404.00456.
 */
export const quaRot = ({ rotation: kind = "hadamard", online = false, skip, only }: QuaRotOptions = {}): Pass =>
  definePass({
    name: NAME,
    stage: "prepare",
    async apply(model, ctx) {
      const reasonOf = unselected({ skip, only });
      const all = layers(model);
      const wanted = (stream: Stream) => {
        const members = [...stream.sources, ...stream.readers, ...stream.scales.flatMap(({ readers }) => readers)];
        return members.length > 0 && members.every((layer) => reasonOf(layer) === undefined);
      };
      const folds = ({ readers, scales }: Stream) =>
        readers.length > 0 || scales.some((scale) => scale.readers.length > 0);
      const streams = (await residualStreams(model, all)).filter((stream) => folds(stream) && wanted(stream));
      const weights = openWeights();
      const folded = new Map<Layer, string>();
      const rotated: { stream: Stream; r: Matrix; biases: ReadonlyMap<string, Float32Array> }[] = [];
      for (const [index, stream] of streams.entries()) {
        checkAborted(NAME, ctx.signal);
        const r = rotation(stream.width, kind, ctx.rng.fork(`stream ${index}`));
        rotated.push({ stream, r, biases: await foldStream(stream, r, weights, model) });
        for (const layer of [...stream.readers, ...stream.scales.flatMap(({ readers }) => readers)])
          folded.set(layer, "its input is rotated");
        for (const layer of stream.sources)
          folded.set(layer, folded.has(layer) ? "input and result are rotated" : "its result is rotated");
      }
      const elsewhere = readElsewhere(all);
      const inserted = new Map<Layer, Matrix>();
      const bySize = new Map<number, Matrix>();
      for (const layer of all) {
        const { kind: layerKind, uses, path, weight, node } = layer;
        const meets = [...streams].some(
          ({ readers, scales }) => readers.includes(layer) || scales.some((scale) => scale.readers.includes(layer)),
        );
        const fits =
          online &&
          !meets &&
          layerKind === "linear" &&
          uses.length === 1 &&
          uses[0].index === 1 &&
          path.length === 0 &&
          node.opType === "MatMul" &&
          node.inputs[1] === weight.name &&
          weight.tensor.dims.length === 2 &&
          weight.tensor.type === "float32" &&
          !elsewhere.has(layer) &&
          reasonOf(layer) === undefined;
        if (fits) {
          const width = weight.dims[1]!;
          const r = bySize.get(width) ?? rotation(width, kind, ctx.rng.fork(`width ${width}`));
          bySize.set(width, r);
          weights.set(layer, matmul(await weights.of(layer), r));
          inserted.set(layer, r);
        }
        const how = [folded.get(layer), fits ? "its input is rotated by a product at every run" : undefined].filter(
          (text) => text,
        );
        ctx.report({
          pass: NAME,
          layer: layer.name,
          action: how.length > 0 ? "changed" : "skipped",
          reason:
            how.length > 0
              ? how.join("; ")
              : (reasonOf(layer) ?? "no stream that is normalized by its root mean square alone meets it"),
        });
      }
      if (rotated.length === 0 && inserted.size === 0) return model;
      return edit(model, ({ graph }) => {
        const float = (hint: string, dims: readonly number[], data: ArrayLike<number>) =>
          graph.addWeight(hint, tensor("float32", dims, Float32Array.from(data)));
        const now = (node: Node) => graph.latest(node)!;
        for (const { stream, r, biases } of rotated) {
          const dims = [stream.width, stream.width];
          let [forward, back]: (string | undefined)[] = [];
          const turn = () => (forward ??= float("rotation", dims, r.data));
          const turnBack = () => (back ??= float("rotation_back", dims, transpose(r).data));
          const restored = new Map<string, string>();
          const original = (value: string): string => {
            const known = restored.get(value) ?? graph.uniqueName(`${value}_unrotated`);
            if (!restored.has(value)) graph.add(makeNode("MatMul", [value, turnBack()], [known]));
            restored.set(value, known);
            return known;
          };
          for (const [name, values] of biases)
            graph.setWeight(name, tensor("float32", model.graph.weights.get(name)!.dims, values));
          for (const { node, value } of stream.others) {
            const as = original(value);
            const latest = now(node);
            graph.replace(latest, { ...latest, inputs: latest.inputs.map((name) => (name === value ? as : name)) });
          }
          for (const { node, gamma, readers } of stream.scales) {
            const latest = now(node);
            const isNorm = node.opType !== "Mul";
            const ones = () => float(`${gamma}_ones`, [stream.width], new Float32Array(stream.width).fill(1));
            if (readers.length > 0) {
              if (isNorm)
                graph.replace(latest, { ...latest, inputs: [latest.inputs[0]!, ones(), ...latest.inputs.slice(2)] });
              else {
                const input = latest.inputs.find((name) => name !== gamma)!;
                graph.replace(latest, makeNode("Identity", [input], latest.outputs));
              }
            } else if (isNorm) {
              const [normed, turned] = [
                graph.uniqueName(`${node.outputs[0]!}_n`),
                graph.uniqueName(`${node.outputs[0]!}_t`),
              ];
              graph.replace(latest, {
                ...latest,
                inputs: [latest.inputs[0]!, ones(), ...latest.inputs.slice(2)],
                outputs: [normed, ...latest.outputs.slice(1)],
              });
              graph.add(
                makeNode("MatMul", [normed, turnBack()], [turned]),
                makeNode("Mul", [turned, gamma], [node.outputs[0]!]),
              );
            } else {
              const input = latest.inputs.find((name) => name !== gamma)!;
              const as = original(input);
              graph.replace(latest, { ...latest, inputs: latest.inputs.map((name) => (name === input ? as : name)) });
            }
          }
          // last, so that what reads these values keeps their names
          for (const value of stream.foreign) {
            const raw = graph.uniqueName(`${value}_f`);
            const maker = graph.nodes().find(({ outputs }) => outputs.includes(value));
            if (maker) {
              graph.replace(maker, { ...maker, outputs: maker.outputs.map((name) => (name === value ? raw : name)) });
              graph.add(makeNode("MatMul", [raw, turn()], [value]));
            } else {
              graph.rewire(value, raw);
              graph.add(makeNode("MatMul", [value, turn()], [raw]));
            }
          }
          for (const value of stream.outputs) {
            const rotatedName = graph.uniqueName(`${value}_rotated`);
            graph.rename(value, rotatedName);
            graph.outputs = graph.outputs.map((info) => (info.name === rotatedName ? { ...info, name: value } : info));
            graph.add(makeNode("MatMul", [rotatedName, turnBack()], [value]));
          }
        }
        const names = new Map<number, string>();
        for (const [layer, r] of inserted) {
          const name = names.get(r.rows) ?? float("rotation", [r.rows, r.rows], r.data);
          names.set(r.rows, name);
          const turned = graph.uniqueName(`${layer.input}_rotated`);
          const latest = now(layer.node);
          graph.add(makeNode("MatMul", [latest.inputs[0]!, name], [turned]));
          graph.replace(latest, { ...latest, inputs: [turned, ...latest.inputs.slice(1)] });
        }
        for (const [layer, w] of weights.all())
          graph.setWeight(layer.weight.name, layer.weight.write(Float32Array.from(w.data)));
      });
    },
  });

import { attrs, type Layer, type Model, type Node } from "@espalier/core";
import { dynamicAttention } from "../export/dynamic-attention.ts";
import { dynamicConv } from "../export/dynamic-conv.ts";
import { type DynamicInputs, dynamicInputs } from "../export/dynamic-input.ts";
import { dynamicLstm } from "../export/dynamic-lstm.ts";
import { dynamicMatMul } from "../export/dynamic-matmul.ts";
import type { IntegerWeights } from "../export/integer-weights.ts";
import type { Names, Piece } from "../export/piece.ts";
import type { DynamicKind } from "./dynamic-places.ts";

/** The weights of a layer on integers, in as many parts as its input. */
export interface DynamicLayer {
  readonly kind: DynamicKind;
  readonly parts: readonly IntegerWeights[];
  /** Where the parts begin among the inputs. */
  readonly starts: readonly number[];
}

/** Nodes of all graphs in the order in which they run, with the path of their graph. */
const inOrder = (model: Model): { readonly node: Node; readonly path: string }[] => {
  const found: { node: Node; path: string }[] = [];
  let graphs = 0;
  const visit = (nodes: readonly Node[]) => {
    const path = String(graphs++);
    for (const node of nodes) {
      found.push({ node, path });
      for (const { graph } of attrs.subgraphsOf(node)) visit(graph.nodes);
    }
  };
  visit(model.graph.nodes);
  return found;
};

/**
 * What stands in place of the nodes whose weights are on integers; the first reader of a value quantizes it.
 *
 * @param byToken each row of what a MatMul or Gemm takes has a range of its own, but where the Gemm turns it
 */
export const dynamicPieces = (
  model: Model,
  made: ReadonlyMap<Layer, DynamicLayer>,
  fresh: Names,
  byToken = false,
): ReadonlyMap<Node, Piece> => {
  const opset = model.opsets.get("") ?? 1;
  const layersOf = new Map<Node, Layer[]>();
  for (const layer of made.keys())
    for (const { node, index } of layer.uses) {
      const slots = layersOf.get(node) ?? [];
      slots[index] = layer;
      layersOf.set(node, slots);
    }
  const inputs = new Map<string, DynamicInputs>();
  const pieces = new Map<Node, Piece>();
  for (const { node, path } of inOrder(model)) {
    const [, first, second] = layersOf.get(node) ?? [];
    if (!first) continue;
    const { kind, parts, starts } = made.get(first)!;
    if (kind === "lstm") {
      pieces.set(node, dynamicLstm(node, parts[0]!, made.get(second!)!.parts[0]!));
      continue;
    }
    const tokens = byToken && kind === "matmul" && attrs.intOf(node, "transA", 0) === 0;
    const key = JSON.stringify([path, node.inputs[0], starts, tokens]);
    const known = inputs.get(key);
    const input = known ?? dynamicInputs(node.inputs[0]!, starts, fresh, tokens ? opset : undefined);
    inputs.set(key, input);
    const [part, own] = [input.parts[0]!, parts[0]!];
    const piece =
      kind === "matmul"
        ? dynamicMatMul(
            node,
            input.parts.map((of, i) => [of, parts[i]!]),
            fresh,
          )
        : kind === "conv"
          ? dynamicConv(node, first.weight.dims.length, part, own, fresh)
          : dynamicAttention(node, part, own);
    const before = known ? [] : input.nodes;
    pieces.set(node, {
      ...piece,
      nodes: [...before, ...piece.nodes],
      weights: new Map([...(known ? [] : input.weights), ...piece.weights]),
    });
  }
  return pieces;
};

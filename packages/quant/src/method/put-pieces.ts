import {
  type Context,
  checkAborted,
  type Layer,
  type Model,
  type Node,
  storedBytes,
  type WeightPlace,
} from "@espalier/core";
import { type Piece, pieceBytes } from "../export/piece.ts";
import { rewrite } from "../export/rewrite.ts";
import type { LayerPieces } from "./weight-pieces.ts";

export interface PutPieces<Item> {
  /** Name of the pass. */
  readonly name: string;
  /** What stands for each layer is made from, in the order of the work. */
  readonly items: ReadonlyMap<Layer, Item>;
  /** What stands for a layer, or the reason why it is left alone. */
  pieces(layer: Layer, item: Item): Promise<LayerPieces | string>;
  /** Further constants to replace, asked for when the layers are done. */
  rest?(): Promise<Iterable<readonly [WeightPlace, Piece]>>;
}

/**
 * The model with pieces in place of layers, where that makes them smaller; the very model where nothing is replaced.
 * Reports each layer and the progress, and stops when the signal is raised.
 */
export const putPieces = async <Item>(
  model: Model,
  ctx: Context,
  { name, items, pieces: piecesFor, rest }: PutPieces<Item>,
): Promise<Model> => {
  const skipped = (layer: Layer, reason: string) =>
    ctx.report({ pass: name, layer: layer.name, action: "skipped", reason });
  const values = new Map<WeightPlace, Piece>();
  const nodes = new Map<Node, Piece>();
  const sweep = new Set<WeightPlace>();
  let done = 0;
  ctx.progress({ kind: "start", task: name, total: items.size });
  for (const [layer, item] of items) {
    checkAborted(name, ctx.signal);
    const pieces = await piecesFor(layer, item);
    ctx.progress({ kind: "step", task: name, done: ++done, total: items.size, note: layer.name });
    if (typeof pieces === "string") {
      skipped(layer, pieces);
      continue;
    }
    const bytesBefore = storedBytes(layer.weight.tensor);
    const bytesAfter = pieceBytes((pieces.value ?? pieces.shared)!);
    if (bytesAfter >= bytesBefore) {
      skipped(layer, `would take ${bytesAfter} bytes for ${bytesBefore}`);
      continue;
    }
    if (pieces.value) values.set(layer.weight, pieces.value);
    for (const [node, piece] of pieces.nodes ?? []) nodes.set(node, piece);
    sweep.add(layer.weight);
    ctx.report({
      pass: name,
      layer: layer.name,
      action: "changed",
      form: pieces.form,
      ...(pieces.runtimes && { runtimes: pieces.runtimes }),
      ...(pieces.note && { reason: pieces.note }),
      bytesBefore,
      bytesAfter,
    });
  }
  ctx.progress({ kind: "end", task: name });
  for (const [place, piece] of (await rest?.()) ?? []) values.set(place, piece);
  return rewrite(model, { values, nodes, sweep });
};

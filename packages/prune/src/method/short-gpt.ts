import {
  byteLengthOf,
  type Context,
  definePass,
  edit,
  type Layer,
  type Model,
  makeNode,
  type Pass,
} from "@espalier/core";
import { type BlockState, blockState } from "../blocks/block-state.ts";
import { type Block, findBlocks } from "../blocks/find-blocks.ts";
import { blockInfluence } from "../blocks/influence.ts";
import { badOption } from "../errors.ts";
import { forgetMasks } from "../mask.ts";

export interface ShortGptOptions {
  /** Blocks to remove. */
  readonly drop?: number;
}

const NAME = "prune/short-gpt";
const DIGITS = 4;

/** The model without some of its blocks, and without the inputs and outputs that only they had. */
const withoutBlocks = (model: Model, gone: readonly { block: Block; state: BlockState }[]): Model =>
  edit(model, ({ graph }) => {
    const inputs = new Set(gone.flatMap(({ state }) => state.inputs));
    const outputs = new Set(gone.flatMap(({ state }) => state.outputs));
    // from the last, so that what read a block's output reads the input of the first of several in a row
    for (const { block } of gone.toSorted((a, b) => b.block.index - a.block.index)) {
      graph.rewire(block.output, block.input);
      const maker = graph.nodes().find((node) => node.outputs.includes(block.output))!;
      if (graph.outputs.some(({ name }) => name === block.output))
        graph.replace(maker, makeNode("Identity", [block.input], [block.output], {}, { name: maker.name }));
    }
    graph.inputs = graph.inputs.filter(({ name }) => !inputs.has(name));
    graph.outputs = graph.outputs.filter(({ name }) => !outputs.has(name));
  });

const reportGone = ({ report }: Context, block: Block, state: BlockState, influence: number) => {
  const bytesOf = ({ weight }: Layer) => byteLengthOf(weight.tensor.type, weight.tensor.dims);
  for (const layer of block.layers)
    report({
      pass: NAME,
      layer: layer.name,
      action: "changed",
      form: `gone with block ${block.index}, influence ${influence.toFixed(DIGITS)}`,
      bytesBefore: bytesOf(layer),
      bytesAfter: 0,
    });
  if (state.inputs.length + state.outputs.length === 0) return;
  const names = [...state.inputs, ...state.outputs].map((name) => `"${name}"`).join(", ");
  report({
    pass: NAME,
    layer: `block ${block.index}`,
    action: "note",
    reason: `inputs and outputs of the model that were its own are gone: ${names}; those of other blocks keep their names`,
  });
};

/**
 * Removes the blocks of a transformer, or of any network that repeats itself, that turn the rows passing through them
 * least: those of the lowest influence 1 - mean cos(x_in, x_out) on calibration data. Nothing is trained afterwards.
 *
 * A removed block takes its own inputs and outputs of the model with it, such as past and present keys and values; the
 * others keep their names. Blocks that other parts of the model read from stay, with the reason in the report.
 * Source: arXiv:2403.03853.
 *
 * @throws EspalierError `BAD_OPTION` where fewer blocks can go than `drop` says, or none would be left; `MISSING_NEED`
 */
export const shortGpt = ({ drop = 1 }: ShortGptOptions = {}): Pass => {
  if (!Number.isInteger(drop) || drop < 1) throw badOption(NAME, `drop is ${drop}. Give a whole number of 1 or more.`);
  return definePass({
    name: NAME,
    stage: "structure",
    traits: { needs: ["calibration", "ort"], changesShapes: true, preserves: ["espalier.masks"] },
    async apply(model, ctx) {
      const blocks = findBlocks(model);
      const leave = ({ index }: Block, reason: string) =>
        ctx.report({ pass: NAME, layer: `block ${index}`, action: "skipped", reason });
      const free = blocks.flatMap((block) => {
        const state = blockState(model.graph, block);
        if (typeof state !== "string") return { block, state };
        leave(block, state);
        return [];
      });
      const most = Math.min(free.length, blocks.length - 1);
      if (drop > most)
        throw badOption(
          NAME,
          `drop is ${drop}, and of ${blocks.length} blocks that repeat each other ${Math.max(most, 0)} can go. Give a lower number.`,
        );
      const influence = await blockInfluence(
        NAME,
        model,
        free.map(({ block }) => block),
        ctx,
      );
      const rated = free.map((item, i) => ({ ...item, influence: influence[i] }));
      const alike = rated.filter((item) => Number.isFinite(item.influence));
      for (const { block, influence: found } of rated)
        if (!Number.isFinite(found)) leave(block, "its input and output are not rows of the same width, or not finite");
      if (alike.length < drop)
        throw badOption(NAME, `drop is ${drop}, and ${alike.length} blocks can go. Give a lower number.`);
      const order = alike.toSorted((a, b) => a.influence - b.influence || a.block.index - b.block.index);
      const gone = order.slice(0, drop).sort((a, b) => a.block.index - b.block.index);
      for (const item of gone) reportGone(ctx, item.block, item.state, item.influence);
      for (const item of order.slice(drop)) leave(item.block, `its influence is ${item.influence.toFixed(DIGITS)}`);
      return forgetMasks(withoutBlocks(model, gone));
    },
  });
};

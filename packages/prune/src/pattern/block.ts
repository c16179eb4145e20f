import { badOption } from "../errors.ts";
import { roundHalfEven } from "../half-even.ts";
import { dropLowest } from "./lowest.ts";

/** Weights that stay or go together: `height` outputs by `width` inputs of a matrix [rows, columns]. */
export interface Block {
  readonly height: number;
  readonly width: number;
}

const BLOCK = /^(\d+)x(\d+)$/;

/** The block of a text such as "4x4" or "1x8"; undefined for a text of another form. @throws EspalierError `BAD_OPTION` for "1x1" and "0x4" */
export const parseBlock = (where: string, text: string): Block | undefined => {
  const found = BLOCK.exec(text)?.slice(1).map(Number);
  if (!found) return undefined;
  const [height, width] = found;
  if (!(height * width >= 2))
    throw badOption(where, `pattern is "${text}". Give blocks of two weights or more, such as "4x4" or "1x8".`);
  return { height, width };
};

export const blockText = ({ height, width }: Block): string => `${height}x${width}`;

/** Σ over each block, [rows / height, columns / width]. */
const blockSums = (values: Float32Array, columns: number, { height, width }: Block): Float32Array => {
  const across = columns / width;
  const sums = new Float64Array(values.length / (height * width));
  for (let i = 0; i < values.length; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    sums[Math.floor(row / height) * across + Math.floor(column / width)] += values[i];
  }
  return Float32Array.from(sums);
};

/**
 * Marks whole blocks with 1 in `drop`, [rows, columns]: those with the lowest sums of scores, among all or among those
 * of the same outputs. Exactly `roundHalfEven(sparsity * n)` of the n blocks go.
 */
export const dropBlocks = (
  scores: Float32Array,
  columns: number,
  block: Block,
  scope: "layer" | "row",
  sparsity: number,
  drop: Uint8Array,
): void => {
  const { height, width } = block;
  const across = columns / width;
  const sums = blockSums(scores, columns, block);
  const gone = new Uint8Array(sums.length);
  const among = scope === "row" ? across : sums.length;
  const count = roundHalfEven(sparsity * among);
  for (let from = 0; from < sums.length; from += among) dropLowest(sums, count, gone, from, from + among);
  for (let i = 0; i < drop.length; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    drop[i] = gone[Math.floor(row / height) * across + Math.floor(column / width)];
  }
};

/** How many weights lie in blocks that are zero throughout. */
export const zerosInBlocks = (values: Float32Array, columns: number, block: Block): number => {
  const sums = blockSums(values.map(Math.abs), columns, block);
  return sums.reduce((count, sum) => count + (sum === 0 ? block.height * block.width : 0), 0);
};

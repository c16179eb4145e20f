import type { Rng } from "../../numeric/rng.ts";
import { type Canvas, drawStroke } from "./strokes.ts";

/** Of a glyph, against the height of the line. */
const WIDTH = 0.55;
const STEP = 0.72;
const THICKNESS = [0.07, 0.13] as const;
const MARGIN = 0.2;

const MIN_STROKES = 3;
const MAX_STROKES = 6;
/** Share of places that are spaces. */
const SPACES = 0.12;
/** How far ink is from its ground, of a range of 2. */
const CONTRAST = [1.5, 2] as const;
/** How far the channels of a colour are from grey. */
const SATURATION = 0.3;

const clamp = (value: number) => Math.max(-1, Math.min(1, value));

export const between = (rng: Rng, [low, high]: readonly [number, number]): number => low + (high - low) * rng.uniform();

/** A colour in [-1, 1]: a grey, and a little of each channel. */
export const anyColor = (rng: Rng, channels: number): number[] => {
  const grey = 2 * rng.uniform() - 1;
  return Array.from({ length: channels }, () => clamp(grey + SATURATION * rng.normal()));
};

/** Light on dark, or dark on light. */
const inkOn = (rng: Rng, ground: readonly number[]): number[] => {
  const step = between(rng, CONTRAST) * (ground[0] > 0 ? -1 : 1);
  return ground.map((value) => clamp(value + step));
};

/** Strokes one after the other between points of a 3 × 3 grid. */
const writeGlyph = (rng: Rng, canvas: Canvas, left: number, top: number, height: number, ink: readonly number[]) => {
  const point = (): readonly [number, number] => [
    left + (WIDTH * height * rng.below(3)) / 2,
    top + (height * rng.below(3)) / 2,
  ];
  const strokes = MIN_STROKES + rng.below(MAX_STROKES - MIN_STROKES + 1);
  const thickness = height * between(rng, THICKNESS);
  let from = point();
  for (let i = 0; i < strokes; i++) {
    const to = point();
    drawStroke(canvas, from, to, thickness, ink);
    from = to;
  }
};

/** A line of made-up glyphs from `left` to `right`, on a ground of one colour. Lengths in pixels. */
export const writeLine = (
  rng: Rng,
  canvas: Canvas,
  { left, right, top, height }: { left: number; right: number; top: number; height: number },
): void => {
  const ground = anyColor(rng, canvas.channels);
  const ink = inkOn(rng, ground);
  const middle = top + height / 2;
  drawStroke(canvas, [left, middle], [right, middle], (1 + 2 * MARGIN) * height, ground);
  for (let x = left; x + WIDTH * height <= right; x += STEP * height)
    if (rng.uniform() >= SPACES) writeGlyph(rng, canvas, x, top, height, ink);
};

/** One glyph in the middle. */
export const writeOne = (rng: Rng, canvas: Canvas, height: number): void => {
  const ground = anyColor(rng, canvas.channels);
  drawStroke(canvas, [0, canvas.height / 2], [canvas.width, canvas.height / 2], canvas.height, ground);
  const [left, top] = [(canvas.width - WIDTH * height) / 2, (canvas.height - height) / 2];
  writeGlyph(rng, canvas, left, top, height, inkOn(rng, ground));
};

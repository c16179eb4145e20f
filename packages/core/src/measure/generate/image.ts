import type { Rng } from "../../numeric/rng.ts";
import { addSmoothField } from "./smooth-field.ts";
import { type Canvas, drawDisc } from "./strokes.ts";
import { anyColor, between, writeLine, writeOne } from "./writing.ts";

const LEAVES = 12;
/** Radii as a share of the shorter side. */
const LARGEST_LEAF = 0.5;
const SMALLEST_LEAF = 0.04;
/** Height of writing as a share of the shorter side, and of the picture where that is one line. */
const LINE_HEIGHT = [0.07, 0.16] as const;
const ONE_LINE_HEIGHT = [0.55, 0.75] as const;
const GLYPH_HEIGHT = [0.5, 0.8] as const;
/** Of a line's height, from one line to the next. */
const LINE_PITCH = 1.6;
/** Share of the places for lines that are written on. */
const WRITTEN = 0.7;
/** Pictures this much wider than high are one line. */
const LINE_ASPECT = 3;
/** Pictures that are no higher show one glyph. */
const SMALL_SIDE = 40;
/** Deviation of the light and shade over everything. */
const SHADE = 0.12;

const drawLeaves = (rng: Rng, canvas: Canvas) => {
  const { channels, height, width } = canvas;
  const side = Math.min(height, width);
  for (let i = 0; i < LEAVES; i++) {
    // density r^-3
    const radius = side / Math.sqrt(between(rng, [LARGEST_LEAF ** -2, SMALLEST_LEAF ** -2]));
    drawDisc(canvas, [width * rng.uniform(), height * rng.uniform()], radius, anyColor(rng, channels));
  }
};

const writePage = (rng: Rng, canvas: Canvas) => {
  const { height, width } = canvas;
  const side = Math.min(height, width);
  for (let top = 0; top < height; ) {
    const size = side * between(rng, LINE_HEIGHT);
    const left = width * between(rng, [0, 0.4]);
    const right = left + width * between(rng, [0.3, 0.9]);
    const margin = ((LINE_PITCH - 1) / 2) * size;
    if (rng.uniform() < WRITTEN) writeLine(rng, canvas, { left, right, top: top + margin, height: size });
    top += LINE_PITCH * size;
  }
};

/**
 * A made-up picture, [channels, height, width] in [-1, 1]: discs of all sizes that occlude one another ("dead leaves",
 * radii of density r^-3, which have the edges of natural scenes), lines of writing, and smooth light and shade. Wide
 * pictures are one line of writing, small ones one glyph. Networks find something in them, which they do not in noise:
 * there, all that a detector gives is near zero, and its relative error says nothing. Source: doi:10.1023/A:1011109015675.
 */
export const madeUpImage = (rng: Rng, channels: number, height: number, width: number): Float32Array => {
  const canvas: Canvas = { data: new Float32Array(channels * height * width), channels, height, width };
  const ground = anyColor(rng, channels);
  const area = height * width;
  for (let channel = 0; channel < channels; channel++)
    canvas.data.fill(ground[channel], channel * area, (channel + 1) * area);
  if (width >= LINE_ASPECT * height) {
    const size = height * between(rng, ONE_LINE_HEIGHT);
    const right = width * between(rng, [0.5, 1]);
    writeLine(rng, canvas, { left: (height - size) / 2, right, top: (height - size) / 2, height: size });
  } else if (Math.min(height, width) <= SMALL_SIDE) {
    writeOne(rng, canvas, height * between(rng, GLYPH_HEIGHT));
  } else {
    drawLeaves(rng, canvas);
    writePage(rng, canvas);
  }
  addSmoothField(rng, canvas, SHADE);
  return canvas.data.map((value) => Math.max(-1, Math.min(1, value)));
};

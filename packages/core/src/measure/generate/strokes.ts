/** A picture that is drawn on: [channels, height, width]. */
export interface Canvas {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

type Point = readonly [x: number, y: number];

/** Paints where `distance` (in pixels, negative inside) says, with an edge one pixel soft. */
const paint = (
  { data, channels, height, width }: Canvas,
  [left, top]: Point,
  [right, bottom]: Point,
  color: readonly number[],
  distance: (x: number, y: number) => number,
) => {
  const area = height * width;
  for (let y = Math.max(0, Math.floor(top)); y < Math.min(height, bottom + 1); y++)
    for (let x = Math.max(0, Math.floor(left)); x < Math.min(width, right + 1); x++) {
      const cover = Math.max(0, Math.min(1, 0.5 - distance(x, y)));
      if (cover === 0) continue;
      for (let channel = 0, at = y * width + x; channel < channels; channel++, at += area)
        data[at] += cover * (color[channel] - data[at]);
    }
};

/** A disc of one colour. */
export const drawDisc = (canvas: Canvas, [cx, cy]: Point, radius: number, color: readonly number[]): void =>
  paint(
    canvas,
    [cx - radius - 1, cy - radius - 1],
    [cx + radius + 1, cy + radius + 1],
    color,
    (x, y) => Math.hypot(x - cx, y - cy) - radius,
  );

/** A straight stroke with square ends, `thickness` wide. */
export const drawStroke = (
  canvas: Canvas,
  [x0, y0]: Point,
  [x1, y1]: Point,
  thickness: number,
  color: readonly number[],
): void => {
  const half = thickness / 2;
  const length = Math.hypot(x1 - x0, y1 - y0);
  const [ux, uy] = length === 0 ? [1, 0] : [(x1 - x0) / length, (y1 - y0) / length];
  const low: Point = [Math.min(x0, x1) - half - 1, Math.min(y0, y1) - half - 1];
  const high: Point = [Math.max(x0, x1) + half + 1, Math.max(y0, y1) + half + 1];
  paint(canvas, low, high, color, (x, y) => {
    const along = (x - x0) * ux + (y - y0) * uy;
    const across = Math.abs((y - y0) * ux - (x - x0) * uy);
    return Math.max(across - half, -along, along - length);
  });
};

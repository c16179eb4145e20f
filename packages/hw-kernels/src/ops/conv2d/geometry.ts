import type { Addresses } from "../../op.ts";

/** The sizes that a convolution's arguments share, in the order in which kernels take them. */
export const geometryArgs = {
  batch: "i32",
  channels: "i32",
  height: "i32",
  width: "i32",
  filters: "i32",
  kernelY: "i32",
  kernelX: "i32",
  strideY: "i32",
  strideX: "i32",
  dilationY: "i32",
  dilationX: "i32",
  insertY: "i32",
  insertX: "i32",
  padTop: "i32",
  padLeft: "i32",
  outHeight: "i32",
  outWidth: "i32",
  groups: "i32",
  nhwc: "i32",
} as const;
export type Geometry = Addresses<typeof geometryArgs>;

/** The image with zeros around it and, where `insert` is over 1, between its pixels: as large as the kernel reaches. */
export const paddedSize = (g: Geometry): { height: number; width: number } => ({
  height: Math.max((g.outHeight - 1) * g.strideY + (g.kernelY - 1) * g.dilationY + 1, g.padTop + g.height * g.insertY),
  width: Math.max((g.outWidth - 1) * g.strideX + (g.kernelX - 1) * g.dilationX + 1, g.padLeft + g.width * g.insertX),
});

export const inputLength = (g: Geometry): number => g.batch * g.channels * g.height * g.width;
export const outputLength = (g: Geometry): number => g.batch * g.filters * g.outHeight * g.outWidth;
export const weightLength = (g: Geometry): number => (g.filters * g.channels * g.kernelY * g.kernelX) / g.groups;

/** Calls `visit` for each product that a convolution sums: element numbers of input, weight and output. */
export const eachTerm = (g: Geometry, visit: (x: number, w: number, y: number) => void): void => {
  const inGroup = g.channels / g.groups;
  const outGroup = g.filters / g.groups;
  for (let n = 0; n < g.batch; n++)
    for (let o = 0; o < g.filters; o++)
      for (let oy = 0; oy < g.outHeight; oy++)
        for (let ox = 0; ox < g.outWidth; ox++)
          for (let ky = 0; ky < g.kernelY; ky++)
            for (let kx = 0; kx < g.kernelX; kx++) {
              const iy = (oy * g.strideY + ky * g.dilationY - g.padTop) / g.insertY;
              const ix = (ox * g.strideX + kx * g.dilationX - g.padLeft) / g.insertX;
              const inside = iy >= 0 && ix >= 0 && iy < g.height && ix < g.width;
              if (!inside || !Number.isInteger(iy) || !Number.isInteger(ix)) continue;
              for (let i = 0; i < inGroup; i++) {
                const c = Math.floor(o / outGroup) * inGroup + i;
                const [x, w, y] = g.nhwc
                  ? [
                      ((n * g.height + iy) * g.width + ix) * g.channels + c,
                      ((ky * g.kernelX + kx) * inGroup + i) * g.filters + o,
                      ((n * g.outHeight + oy) * g.outWidth + ox) * g.filters + o,
                    ]
                  : [
                      ((n * g.channels + c) * g.height + iy) * g.width + ix,
                      ((o * inGroup + i) * g.kernelY + ky) * g.kernelX + kx,
                      ((n * g.filters + o) * g.outHeight + oy) * g.outWidth + ox,
                    ];
                visit(x, w, y);
              }
            }
};

/** Sizes of a convolution: 1x1, stride 1, no padding, one group, NCHW and the output's size unless given. */
export const geometry = (
  given: Partial<Geometry> & Pick<Geometry, "channels" | "height" | "width" | "filters">,
): Geometry => {
  const g = {
    ...{ batch: 1, kernelY: 1, kernelX: 1, strideY: 1, strideX: 1, dilationY: 1, dilationX: 1, insertY: 1, insertX: 1 },
    ...{ padTop: 0, padLeft: 0, groups: 1, nhwc: 0 },
    ...given,
  };
  const out = (size: number, insert: number, pad: number, kernel: number, dilation: number, stride: number) =>
    Math.max(Math.floor(((size - 1) * insert + 1 + 2 * pad - (kernel - 1) * dilation - 1) / stride) + 1, 1);
  return {
    outHeight: out(g.height, g.insertY, g.padTop, g.kernelY, g.dilationY, g.strideY),
    outWidth: out(g.width, g.insertX, g.padLeft, g.kernelX, g.dilationX, g.strideX),
    ...g,
  };
};

const square = (size: number) => ({ kernelY: size, kernelX: size });
/** Geometries to test with; dense ones, or depthwise ones: as many groups as channels. */
export const geometryCases = (scope: "load" | "all", depthwise: boolean): Geometry[] => {
  const shape = (channels: number, filters: number, rest: Partial<Geometry>) => {
    const groups = depthwise ? channels : (rest.groups ?? 1);
    return { height: 7, width: 9, ...rest, channels, filters: depthwise ? channels : filters, groups };
  };
  const few = [
    shape(3, 5, { ...square(3), padTop: 1, padLeft: 1, batch: 2 }),
    shape(5, 9, { ...square(3), padTop: 1, padLeft: 1, strideY: 2, strideX: 2 }),
  ];
  const more = [
    shape(1, 1, {}),
    shape(4, 8, {}),
    shape(13, 17, { height: 1, width: 33 }),
    shape(16, 6, { ...square(2), strideY: 2, strideX: 2 }),
    shape(6, 4, { ...square(3), groups: 2, padTop: 1, padLeft: 1 }),
    shape(9, 12, { ...square(3), groups: 3, batch: 2 }),
    shape(2, 3, { ...square(5), padTop: 4, padLeft: 2, width: 31 }),
    shape(8, 8, { ...square(3), dilationY: 2, dilationX: 3, padTop: 2, padLeft: 3, width: 16 }),
    shape(7, 10, { kernelX: 7, padLeft: 3, strideX: 3, width: 40 }),
    shape(17, 3, { ...square(3), insertY: 2, insertX: 2, padTop: 2, padLeft: 2 }),
    shape(4, 4, { ...square(4), insertX: 3, padTop: 1, outHeight: 7, outWidth: 20 }),
    shape(20, 9, { ...square(3), padTop: 1, padLeft: 1, height: 17, width: 18 }),
    shape(33, 2, { ...square(1), strideY: 2, strideX: 2, height: 9 }),
  ];
  const all = scope === "load" ? few : [...few, ...more];
  return all.flatMap((given) => [0, 1].map((nhwc) => geometry({ ...given, nhwc })));
};

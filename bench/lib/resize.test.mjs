import { expect, test } from "vitest";
import { squeezeWidth } from "./resize.mjs";

// Printed by Pillow 13.0.0, Image.resize((width, 2), Image.BILINEAR), of the 13 wide image below.
const PILLOW = [
  [
    5,
    [
      88, 190, 127, 112, 135, 179, 143, 136, 166, 104, 80, 216, 137, 99, 196, 112, 88, 77, 137, 138, 127, 121, 125, 86,
      150, 111, 69, 142, 115, 128,
    ],
  ],
  [
    12,
    [
      13, 148, 100, 128, 226, 142, 126, 188, 131, 90, 115, 214, 129, 118, 180, 170, 123, 149, 114, 167, 156, 114, 94,
      203, 62, 79, 251, 177, 47, 184, 129, 109, 209, 129, 119, 183, 64, 13, 35, 130, 87, 73, 143, 210, 160, 167, 88, 83,
      83, 142, 174, 112, 135, 94, 143, 129, 52, 177, 126, 49, 148, 61, 48, 104, 173, 123, 153, 39, 163, 150, 182, 87,
    ],
  ],
];

test.each(PILLOW)("squeezing 13 pixels to %i gives Pillow's bytes", (width, expected) => {
  const pixels = Uint8Array.from({ length: 2 * 13 * 3 }, (_, x) => (x * x * 37 + x * 101) % 256);
  expect([...squeezeWidth(pixels, 2, 13, width)]).toEqual(expected);
});

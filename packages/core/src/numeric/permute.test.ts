import fc from "fast-check";
import { expect, it } from "vitest";
import { sizeOf } from "../tensor.ts";
import { inverseOrder, permute } from "./permute.ts";

const shapes = fc
  .array(fc.constantFrom(1, 2, 3, 5, 40), { minLength: 1, maxLength: 5 })
  .filter((dims) => sizeOf(dims) < 20_000)
  .chain((dims) => fc.tuple(fc.constant(dims), fc.shuffledSubarray([...dims.keys()], { minLength: dims.length })));

it("permute moves every element to the place that Transpose gives it, and its inverse moves it back", () => {
  fc.assert(
    fc.property(shapes, ([dims, order]) => {
      const values = Float32Array.from({ length: sizeOf(dims) }, (_, i) => i);
      const moved = permute(values, dims, order);
      const after = order.map((axis) => dims[axis]);
      const strides = dims.map((_, axis) => sizeOf(dims.slice(axis + 1)));
      for (let place = 0; place < moved.length; place++) {
        let rest = place;
        let source = 0;
        for (let i = after.length - 1; i >= 0; i--) {
          source += (rest % after[i]) * strides[order[i]];
          rest = Math.floor(rest / after[i]);
        }
        if (moved[place] !== source) expect([dims, order, place, moved[place]]).toEqual([dims, order, place, source]);
      }
      expect(permute(moved, after, inverseOrder(order))).toEqual(values);
    }),
  );
});

it("permute keeps the array's type, copies where nothing moves, and takes arrays of no elements", () => {
  const codes = Uint8Array.of(1, 2, 3, 4, 5, 6);
  expect(permute(codes, [2, 3], [1, 0])).toEqual(Uint8Array.of(1, 4, 2, 5, 3, 6));
  expect(permute(codes, [6], [0])).not.toBe(codes);
  expect(permute(new Float32Array(), [0, 3], [1, 0])).toEqual(new Float32Array());
});

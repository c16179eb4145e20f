import { f32, f32x4, i32, type Module } from "../../asm/index.ts";
import { clampVector } from "../vectors.ts";

const FLOAT = 4;

/** Adds `edge`: the part of a tile that lies inside C, from a whole tile that was computed elsewhere. */
export const addEdge = (m: Module, tileColumns: number) =>
  m.func(
    "edge",
    {
      tile: "i32",
      c: "i32",
      stride: "i32",
      rows: "i32",
      columns: "i32",
      accumulate: "i32",
      low: "f32",
      high: "f32",
    },
    (f, { tile, c, stride, rows, columns, accumulate, low, high }) => {
      const [i, j] = [f.local("i32"), f.local("i32")];
      const value = f.local("f32");
      f.for(i, 0, rows, 1, () => {
        f.for(j, 0, columns, 1, () => {
          const at = i32.shl(j, 2);
          f.set(value, f32.load(i32.add(tile, at)));
          f.if(accumulate, () => f.set(value, f32.add(f32.load(i32.add(c, at)), value)));
          const clamped = clampVector(f32x4.splat(value), f32x4.splat(low), f32x4.splat(high));
          f.do(f32.store(i32.add(c, at), f32x4.extract_lane(clamped, 0)));
        });
        f.add(tile, tileColumns * FLOAT);
        f.set(c, i32.add(c, stride));
      });
    },
  );

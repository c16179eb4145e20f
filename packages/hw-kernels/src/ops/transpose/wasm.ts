import { f32, i32, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { packing } from "../blocks/pack.ts";
import { least } from "../blocks64/pack.ts";
import { TILE, transposeArgs } from "./op.ts";

const emit = (m: Module) =>
  m.func("run", kernelParameters(transposeArgs), (f, { x, y, rows, columns, strideX, strideY }) => {
    const int = () => f.local("i32");
    const [row, column, i, j, endRow, endColumn, from, to] = [int(), int(), int(), int(), int(), int(), int(), int()];
    const [r, t] = [f.locals("v128", 4), f.locals("v128", 4)];
    const [bytesX, bytesY] = [f.let(i32.shl(strideX, 2)), f.let(i32.shl(strideY, 2))];
    const place = () => {
      f.set(from, i32.add(x, i32.add(i32.mul(i, bytesX), i32.shl(j, 2))));
      f.set(to, i32.add(y, i32.add(i32.mul(j, bytesY), i32.shl(i, 2))));
    };
    const one = () => {
      place();
      f.do(f32.store(to, f32.load(from)));
    };
    f.for(row, 0, rows, TILE, () => {
      f.set(endRow, least(rows, i32.add(row, TILE)));
      f.for(column, 0, columns, TILE, () => {
        f.set(endColumn, least(columns, i32.add(column, TILE)));
        f.set(i, row);
        f.while(i32.le_s(i, i32.sub(endRow, 4)), () => {
          f.set(j, column);
          f.while(i32.le_s(j, i32.sub(endColumn, 4)), () => {
            place();
            for (const line of r) {
              f.set(line, v128.load(from));
              f.add(from, bytesX);
            }
            packing.transpose4(f, r, t);
            for (const line of r) {
              f.do(v128.store(to, line));
              f.add(to, bytesY);
            }
            f.add(j, 4);
          });
          // what is left of four rows, column by column
          const start = f.let(j);
          for (let k = 0; k < 4; k++) {
            f.for(j, start, endColumn, 1, one);
            f.add(i, 1);
          }
        });
        f.while(i32.lt_s(i, endRow), () => {
          f.for(j, column, endColumn, 1, one);
          f.add(i, 1);
        });
      });
    });
  });

export const transposeWasm: readonly WasmVariant[] = [{ name: "4x4", level: "simd", emit }];

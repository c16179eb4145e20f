import { type Expr, i8x16, i32, v128 } from "../../asm/index.ts";
import { lanes32 } from "../vectors.ts";

type Int = Expr<"i32">;
type Vector = Expr<"v128">;
const VECTOR = 16;

/** How four numbers that lie a stride apart come into a vector: the `index`-th four from address p on. */
export interface StridedLoad {
  readonly name: string;
  readonly load: (p: Int, index: number, strideBytes: Int) => Vector;
}

/** For stride 1, 2 and any. The second reads up to the number behind the last. */
export const stridedLoads: readonly StridedLoad[] = [
  { name: "1", load: (p, index) => v128.load(p, index * VECTOR) },
  {
    name: "2",
    load: (p, index) =>
      i8x16.shuffle(v128.load(p, index * 2 * VECTOR), v128.load(p, (index * 2 + 1) * VECTOR), lanes32(0, 2, 4, 6)),
  },
  {
    name: "Any",
    load: (p, index, stride) =>
      [1, 2, 3].reduce<Vector>(
        (vector, lane) => v128.load32_lane(i32.add(p, i32.mul(stride, index * 4 + lane)), vector, lane),
        v128.load32_zero(i32.add(p, i32.mul(stride, index * 4))),
      ),
  },
];

import { type Expr, i8x16, i16x8, i32, i32x4, type Local, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { lanes32 } from "../vectors.ts";
import { fourGrids, gridsFromExtremes, roundFour, widen } from "./lanes.ts";
import { quantizeBlocksArgs } from "./op.ts";

const VECTOR = 16;
const STEP = 64;

/** The larger of each pair of lanes, four vectors to one: lane i is the largest of vector i. */
const mostOfFour = ([a, b, c, d]: readonly Expr<"v128">[]) => {
  const pairs = (x: Expr<"v128">, y: Expr<"v128">) =>
    i32x4.max_s(i8x16.shuffle(x, y, lanes32(0, 1, 4, 5)), i8x16.shuffle(x, y, lanes32(2, 3, 6, 7)));
  return (set: (x: Expr<"v128">, y: Expr<"v128">) => readonly [Local<"v128">, Local<"v128">]) => {
    const [x, y] = set(pairs(a!, b!), pairs(c!, d!));
    return i32x4.max_s(i8x16.shuffle(x, y, lanes32(0, 2, 4, 6)), i8x16.shuffle(x, y, lanes32(1, 3, 5, 7)));
  };
};

const emit = (m: Module) => {
  m.func("run", kernelParameters(quantizeBlocksArgs), (f, p) => {
    const { w, codes, scales, zeros, blocks, blockSize, nibbles } = p;
    const g = fourGrids(f, p);
    const derive = gridsFromExtremes(f, g, p);
    const [at, left] = [f.local("i32"), f.local("i32")];
    const least = f.locals("v128", 4);
    const most = f.locals("v128", 4);
    const x = f.locals("v128", 4);
    const inverse = f.local("v128");
    const [zero, quad, other] = [f.local("v128"), f.local("v128"), f.local("v128")];
    const blockBytes = f.let(i32.shl(blockSize, 2));
    const lowest = f.let(i8x16.splat(i32x4.extract_lane(g.lowest, 0)));
    const highest = f.let(i8x16.splat(p.highest));
    const none = v128.const(Array(VECTOR).fill(0));
    const keep = (first: Expr<"v128">, second: Expr<"v128">) => {
      f.set(quad, first);
      f.set(other, second);
      return [quad, other] as const;
    };
    f.while(i32.gt_s(blocks, 0), () => {
      f.set(at, w);
      for (let block = 0; block < 4; block++) {
        f.set(least[block]!, none);
        f.set(most[block]!, none);
        f.set(left, blockSize);
        f.repeat(left, STEP / 4, () => {
          for (let i = 0; i < 4; i++) {
            f.set(x[0]!, v128.load(at, VECTOR * i));
            widen(f, least[block]!, most[block]!, x[0]!, g.sign);
          }
          f.add(at, STEP);
        });
      }
      f.set(g.below, mostOfFour(least)(keep));
      f.set(g.above, mostOfFour(most)(keep));
      derive();
      f.do(v128.store(scales, g.scale));
      for (let block = 0; block < 4; block++) {
        // code = clamp(round(w / scale) + zero), sixteen at a time
        f.do(v128.store8_lane(zeros, g.zero, 4 * block, block));
        const [half, lane] = [g.inverses[block >> 1]!, 2 * (block & 1)];
        f.set(inverse, i8x16.shuffle(half, half, lanes32(lane, lane + 1, lane, lane + 1)));
        f.set(zero, i16x8.splat(i32x4.extract_lane(g.zero, block)));
        f.set(left, blockSize);
        f.if(
          i32.eqz(i32x4.extract_lane(g.finite, block)),
          () => {
            f.repeat(left, VECTOR, () => {
              f.if(
                nibbles,
                () => {
                  f.do(v128.store64_lane(codes, none, 0));
                  f.add(codes, VECTOR / 2);
                },
                () => {
                  f.do(v128.store(codes, none));
                  f.add(codes, VECTOR);
                },
              );
            });
            f.add(w, blockBytes);
          },
          () => {
            f.repeat(left, VECTOR, () => {
              for (let i = 0; i < 4; i++) {
                f.set(x[i]!, v128.load(w, VECTOR * i));
                f.set(x[i]!, roundFour(x[i]!, [inverse, inverse], g.magic));
              }
              f.add(w, STEP);
              const sum = (low: Expr<"v128">, high: Expr<"v128">) =>
                i16x8.add_sat_s(i16x8.narrow_i32x4_s(low, high), zero);
              f.set(quad, i8x16.narrow_i16x8_u(sum(x[0]!, x[1]!), sum(x[2]!, x[3]!)));
              f.set(quad, i8x16.min_u(i8x16.max_u(quad, lowest), highest));
              f.if(
                nibbles,
                () => {
                  // the words b << 8 | a become the bytes b << 4 | a
                  f.set(quad, v128.and(v128.or(quad, i16x8.shr_u(quad, 4)), i16x8.splat(0xff)));
                  f.do(v128.store64_lane(codes, i8x16.narrow_i16x8_u(quad, quad), 0));
                  f.add(codes, VECTOR / 2);
                },
                () => {
                  f.do(v128.store(codes, quad));
                  f.add(codes, VECTOR);
                },
              );
            });
          },
        );
      }
      f.add(scales, VECTOR);
      f.add(zeros, 4);
      f.add(blocks, -4);
    });
  });
};

export const quantizeBlocksWasm: readonly WasmVariant[] = [{ name: "four blocks", level: "simd", emit }];

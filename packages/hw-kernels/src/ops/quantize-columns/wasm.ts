import { i32, i32x4, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { fourGrids, gridsFromExtremes, roundFour, widen } from "../quantize-blocks/lanes.ts";
import { quantizeColumnsArgs } from "./op.ts";

const WORD_BITS = 32;
const FLOAT = 4;

const emit = (m: Module) => {
  m.func("run", kernelParameters(quantizeColumnsArgs), (f, p) => {
    const { w, codes, scales, zeros, k, n, stride, blockSize, nibbles } = p;
    const g = fourGrids(f, p);
    const derive = gridsFromExtremes(f, g, p);
    const [at, end, to, size, start] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    const [scaleAt, zeroAt, left] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const [x, word] = [f.local("v128"), f.local("v128")];
    const rowBytes = f.let(i32.shl(stride, 2));
    const codeBytes = f.let(i32.shr_u(k, nibbles));
    const blocks = f.let(i32.div_s(i32.sub(i32.add(k, blockSize), 1), blockSize));
    const none = v128.const(Array(16).fill(0));
    /** Codes of the rows of four columns from `at` on, a word of each column at a time. */
    const encode = (bits: number) => {
      const rows = WORD_BITS / bits;
      f.repeat(left, rows, () => {
        f.set(word, none);
        for (let row = 0; row < rows; row++) {
          f.set(x, v128.load(at));
          f.set(x, i32x4.add(roundFour(x, g.inverses, g.magic), g.zero));
          f.set(x, i32x4.min_s(i32x4.max_s(x, g.lowest), g.highest));
          f.set(word, v128.or(word, row === 0 ? x : i32x4.shl(x, row * bits)));
          f.add(at, rowBytes);
        }
        f.set(word, v128.and(word, g.finite));
        f.set(end, to);
        for (let lane = 0; lane < 4; lane++) {
          f.do(v128.store32_lane(end, word, lane));
          if (lane < 3) f.add(end, codeBytes);
        }
        f.add(to, FLOAT);
      });
    };
    f.while(i32.gt_s(n, 0), () => {
      f.set(start, 0);
      f.set(to, codes);
      f.set(at, w);
      f.while(i32.lt_s(start, k), () => {
        // the block's rows: start .. start + size
        f.set(size, i32.sub(k, start));
        f.if(i32.gt_s(size, blockSize), () => f.set(size, blockSize));
        f.set(g.below, none);
        f.set(g.above, none);
        f.set(left, size);
        f.set(end, at);
        f.repeat(left, 4, () => {
          for (let row = 0; row < 4; row++) {
            f.set(x, v128.load(end));
            widen(f, g.below, g.above, x, g.sign);
            f.add(end, rowBytes);
          }
        });
        derive();
        f.set(scaleAt, scales);
        f.set(zeroAt, zeros);
        for (let lane = 0; lane < 4; lane++) {
          f.do(v128.store32_lane(scaleAt, g.scale, lane));
          f.do(v128.store8_lane(zeroAt, g.zero, 4 * lane));
          if (lane === 3) continue;
          f.add(scaleAt, i32.shl(blocks, 2));
          f.add(zeroAt, blocks);
        }
        f.set(left, size);
        f.if(
          nibbles,
          () => encode(4),
          () => encode(8),
        );
        f.add(scales, FLOAT);
        f.add(zeros, 1);
        f.add(start, blockSize);
      });
      // the next four columns: scales and zeros went on by one row of theirs already
      f.add(scales, i32.mul(blocks, 3 * FLOAT));
      f.add(zeros, i32.mul(blocks, 3));
      f.add(codes, i32.mul(codeBytes, 4));
      f.add(w, 4 * FLOAT);
      f.add(n, -4);
    });
  });
};

export const quantizeColumnsWasm: readonly WasmVariant[] = [{ name: "four columns", level: "simd", emit }];

import { type Body, type Expr, f32x4, i32, type Local, type Module, memory, v128 } from "../../asm/index.ts";
import { type KernelLocals, kernelParameters } from "../../op.ts";
import { geometryArgs } from "./geometry.ts";

type Int = Expr<"i32">;
const FLOAT = 4;

const larger = (a: Int, b: Int): Int => i32.add(a, i32.mul(i32.lt_s(a, b), i32.sub(b, a)));
const product = (...factors: [Int, ...Int[]]): Int => factors.reduce((a, b) => i32.mul(a, b));

/** Writes numbers from `value`, a vector, or its first number at the end, and moves `to` on. */
const writeNumbers = (
  f: Body,
  to: Local<"i32">,
  count: Int,
  read: (count: number) => Expr<"v128">,
  moved: Local<"i32">[],
) => {
  const left = f.let(count);
  const step = (numbers: number) => {
    for (const p of moved) f.add(p, numbers * FLOAT);
    f.add(left, -numbers);
  };
  f.while(i32.ge_s(left, 4), () => {
    f.do(v128.store(to, read(4)));
    step(4);
  });
  f.while(i32.gt_s(left, 0), () => {
    f.do(v128.store32_lane(to, read(1), 0));
    step(1);
  });
};
/** Copies numbers; short stretches faster than `memory.copy`, which is a call into the engine. Moves `to` and `from` on. */
const copyNumbers = (f: Body, to: Local<"i32">, from: Local<"i32">, count: Int) =>
  writeNumbers(f, to, count, (numbers) => (numbers === 4 ? v128.load(from) : v128.load32_zero(from)), [to, from]);
const writeZeros = (f: Body, to: Local<"i32">, count: Int) =>
  writeNumbers(f, to, count, () => f.constant(f32x4.const(0)), [to]);

const padParameters = { ...kernelParameters(geometryArgs), from: "i32", rows: "i32", columns: "i32" } as const;
const tableParameters = { ...padParameters, terms: "i32" } as const;

/** Adds `pad`: the image at `from` with zeros around it and between its pixels, at `scratch`. */
export const addPad = (m: Module) =>
  m.func("pad", padParameters, (f, v) => {
    const [c, y, x, to, from] = [f.local("i32"), f.local("i32"), f.local("i32"), f.let(v.scratch), f.let(v.from)];
    // A pixel is one number in NCHW, all channels in NHWC.
    const size = f.let(choose(v.nhwc, v.channels, i32.const(1)));
    const planes = choose(v.nhwc, i32.const(1), v.channels);
    const rowSize = f.let(i32.mul(v.columns, size));
    const left = i32.mul(v.padLeft, size);
    const right = i32.mul(i32.sub(i32.sub(v.columns, v.padLeft), v.width), size);
    const around = () =>
      f.for(c, 0, planes, 1, () => {
        writeZeros(f, to, i32.mul(v.padTop, rowSize));
        f.for(y, 0, v.height, 1, () => {
          writeZeros(f, to, left);
          copyNumbers(f, to, from, i32.mul(v.width, size));
          writeZeros(f, to, right);
        });
        writeZeros(f, to, i32.mul(i32.sub(i32.sub(v.rows, v.padTop), v.height), rowSize));
      });
    const between = () => {
      f.do(memory.fill(v.scratch, 0, i32.shl(product(v.rows, v.columns, v.channels), 2)));
      f.for(c, 0, planes, 1, () =>
        f.for(y, 0, v.height, 1, () => {
          const row = i32.add(product(c, v.rows), i32.add(v.padTop, i32.mul(y, v.insertY)));
          f.set(to, i32.add(v.scratch, i32.shl(i32.mul(i32.add(product(row, v.columns), v.padLeft), size), 2)));
          f.for(x, 0, v.width, 1, () => {
            copyNumbers(f, to, from, size);
            f.set(to, i32.add(to, i32.shl(i32.mul(i32.sub(v.insertX, 1), size), 2)));
          });
        }),
      );
    };
    f.if(i32.eq(i32.mul(v.insertX, v.insertY), 1), around, between);
  });

/** Adds `tables` of byte offsets, see `Patches`: of pixels at `from`, of terms at `terms`. */
const addTables = (m: Module) =>
  m.func("tables", tableParameters, (f, v) => {
    const [c, y, x, to] = [f.local("i32"), f.local("i32"), f.local("i32"), f.let(v.from)];
    const pixel = f.let(choose(v.nhwc, v.channels, i32.const(1)));
    const put = (offset: Int) => {
      f.do(i32.store(to, i32.shl(offset, 2)));
      f.add(to, FLOAT);
    };
    const at = (row: Int, column: Int) => i32.mul(i32.add(i32.mul(row, v.columns), column), pixel);
    f.for(y, 0, v.outHeight, 1, () =>
      f.for(x, 0, v.outWidth, 1, () => put(at(i32.mul(y, v.strideY), i32.mul(x, v.strideX)))),
    );
    f.set(to, v.terms);
    const perGroup = f.let(i32.div_s(v.channels, v.groups));
    const taps = (body: () => void) => f.for(y, 0, v.kernelY, 1, () => f.for(x, 0, v.kernelX, 1, body));
    const tap = at(i32.mul(y, v.dilationY), i32.mul(x, v.dilationX));
    f.if(
      v.nhwc,
      () => taps(() => f.for(c, 0, perGroup, 1, () => put(i32.add(tap, c)))),
      () => f.for(c, 0, perGroup, 1, () => taps(() => put(i32.add(tap, product(c, v.rows, v.columns))))),
    );
  });

const choose = (condition: Int, yes: Int, no: Int): Int => i32.add(no, i32.mul(i32.ne(condition, 0), i32.sub(yes, no)));

/** Rows and columns of the padded image, as `paddedSize`. */
export const paddedLocals = (f: Body, v: KernelLocals<typeof geometryArgs>) => {
  const reach = (count: Int, stride: Int, kernel: Int, dilation: Int) =>
    i32.add(i32.add(i32.mul(i32.sub(count, 1), stride), i32.mul(i32.sub(kernel, 1), dilation)), 1);
  const down = reach(v.outHeight, v.strideY, v.kernelY, v.dilationY);
  const right = reach(v.outWidth, v.strideX, v.kernelX, v.dilationX);
  return {
    rows: f.let(larger(down, i32.add(v.padTop, i32.mul(v.height, v.insertY)))),
    columns: f.let(larger(right, i32.add(v.padLeft, i32.mul(v.width, v.insertX)))),
  };
};

export interface Patches {
  /** Addresses of tables of byte offsets: patches[term, pixel] lies at base + terms[term] + pixels[pixel]. */
  readonly pixels: Local<"i32">;
  readonly terms: Local<"i32">;
  readonly pixelCount: Local<"i32">;
  readonly termCount: Local<"i32">;
  /** Scratch memory after all of that. */
  readonly rest: Local<"i32">;
  /** Makes the patches those of the image at an address; returns the base for a group. */
  readonly of: (image: Int) => void;
  readonly base: (group: Int) => Int;
}

/**
 * Adds the patches of images: a padded copy of one image in scratch memory, or the image where it is as large, and where each pixel of the output begins in
 * it and how far each term of the kernel lies from there. Their sum is where a patch's element lies: no im2col.
 */
export const addPatches = (m: Module) => {
  const [pad, tables] = [addPad(m), addTables(m)];
  return (f: Body, v: KernelLocals<typeof geometryArgs>): Patches => {
    const { rows, columns } = paddedLocals(f, v);
    const plane = f.let(product(rows, columns));
    const perGroup = f.let(i32.div_s(v.channels, v.groups));
    const pixelCount = f.let(product(v.outHeight, v.outWidth));
    const termCount = f.let(product(perGroup, v.kernelY, v.kernelX));
    const pixels = f.let(i32.add(v.scratch, i32.shl(product(plane, v.channels), 2)));
    const terms = f.let(i32.add(pixels, i32.shl(pixelCount, 2)));
    const rest = f.let(i32.add(terms, i32.shl(termCount, 2)));
    f.do(tables.call({ ...v, from: pixels, terms, rows, columns }));
    const group = choose(v.nhwc, perGroup, product(perGroup, plane));
    const source = f.local("i32");
    const same = [i32.eq(rows, v.height), i32.eq(columns, v.width), i32.eqz(i32.or(v.padTop, v.padLeft))];
    const isPlain = f.let(same.reduce(i32.and));
    return {
      ...{ pixels, terms, pixelCount, termCount, rest },
      of: (image) => {
        f.set(source, image);
        f.if(i32.eqz(isPlain), () => {
          f.do(pad.call({ ...v, from: image, rows, columns }));
          f.set(source, v.scratch);
        });
      },
      base: (index) => i32.add(source, i32.shl(i32.mul(index, group), 2)),
    };
  };
};

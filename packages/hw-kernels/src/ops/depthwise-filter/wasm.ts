import { type Body, type Expr, f32x4, i32, type Local, type Module, v128 } from "../../asm/index.ts";
import { type KernelLocals, kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { addPad, paddedLocals } from "../conv2d/patches.ts";
import { type StridedLoad, stridedLoads } from "../depthwise/strided.ts";
import { multiplyAdd, sumLanes } from "../vectors.ts";
import { depthwiseFilterArgs } from "./op.ts";

type Int = Expr<"i32">;
const FLOAT = 4;
const VECTOR = 16;

/** Adds the sum over one channel's pixels of dy times the image, NCHW, for one place of the kernel; added to dw. */
const addPlane = (m: Module, level: Level, { name, load }: StridedLoad) =>
  m.func(
    `plane${name}`,
    { x: "i32", dy: "i32", dw: "i32", rows: "i32", columns: "i32", down: "i32", stride: "i32" },
    (f, { x, dy, dw, rows, columns, down, stride }) => {
      const madd = multiplyAdd[level];
      const [sum, spare] = [f.let(f32x4.const(0)), f.local("v128")];
      const [left, p] = [f.local("i32"), f.local("i32")];
      f.repeat(rows, 1, () => {
        f.set(left, columns);
        f.set(p, x);
        const step = (count: number, dys: Expr<"v128">, xs: Expr<"v128">) => {
          f.set(sum, madd(dys, xs, sum));
          f.set(p, i32.add(p, i32.mul(stride, count)));
          f.add(dy, count * FLOAT);
          f.add(left, -count);
        };
        f.while(i32.ge_s(left, 4), () => step(4, v128.load(dy), load(p, 0, stride)));
        f.while(i32.gt_s(left, 0), () => step(1, v128.load32_zero(dy), v128.load32_zero(p)));
        f.set(x, i32.add(x, down));
      });
      const total = sumLanes(sum, spare, f.set);
      f.do(v128.store32_lane(dw, f32x4.add(total, v128.load32_zero(dw)), 0));
    },
  );

/** Adds the same for all channels, NHWC: sixteen, four or one at a time. */
const addChannels = (m: Module, level: Level) =>
  m.func(
    "channelSums",
    { x: "i32", dy: "i32", dw: "i32", rows: "i32", columns: "i32", down: "i32", stride: "i32", channels: "i32" },
    (f, { x, dy, dw, rows, columns, down, stride, channels }) => {
      const madd = multiplyAdd[level];
      const allSums = f.locals("v128", 4);
      const [c, row, column, p, q] = [0, 0, 0, 0, 0].map(() => f.local("i32")) as [
        Local<"i32">,
        Local<"i32">,
        Local<"i32">,
        Local<"i32">,
        Local<"i32">,
      ];
      const channelBytes = f.let(i32.shl(channels, 2));
      const block = (count: number) => {
        const single = count === 1;
        const sums = allSums.slice(0, Math.ceil(count / 4));
        const load = (from: Int, i: number) => (single ? v128.load32_zero(from) : v128.load(from, i * VECTOR));
        const offset = i32.shl(c, 2);
        const to = i32.add(dw, offset);
        for (const [i, sum] of sums.entries()) f.set(sum, load(to, i));
        f.set(q, i32.add(dy, offset));
        f.for(row, 0, rows, 1, () => {
          f.set(p, i32.add(i32.add(x, offset), i32.mul(row, down)));
          f.for(column, 0, columns, 1, () => {
            for (const [i, sum] of sums.entries()) f.set(sum, madd(load(p, i), load(q, i), sum));
            f.set(p, i32.add(p, stride));
            f.set(q, i32.add(q, channelBytes));
          });
        });
        for (const [i, sum] of sums.entries())
          f.do(single ? v128.store32_lane(to, sum, 0) : v128.store(to, sum, i * VECTOR));
        f.add(c, count);
      };
      for (const count of [16, 4, 1]) f.while(i32.le_s(i32.add(c, count), channels), () => block(count));
    },
  );

const zero = (f: Body, v: KernelLocals<typeof depthwiseFilterArgs>, at: Local<"i32">) => {
  const count = i32.mul(i32.mul(v.channels, v.kernelY), v.kernelX);
  f.for(at, 0, count, 1, () => f.do(i32.store(i32.add(v.dw, i32.shl(at, 2)), 0)));
};

const emit = (level: Level) => (module: Module) => {
  const pad = addPad(module);
  const planes = stridedLoads.map((load) => addPlane(module, level, load));
  const channelSums = addChannels(module, level);
  module.func("run", kernelParameters(depthwiseFilterArgs), (f, v) => {
    const padded = paddedLocals(f, v);
    const [n, c, ky, kx] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
    const [image, dy, dw, x] = [f.let(v.x), f.let(v.dy), f.local("i32"), f.local("i32")];
    const rowBytes = f.let(i32.shl(padded.columns, 2));
    const imageBytes = f.let(i32.shl(i32.mul(i32.mul(v.channels, v.height), v.width), 2));
    const planeBytes = f.let(i32.shl(i32.mul(v.outHeight, v.outWidth), 2));
    const channelBytes = f.let(i32.shl(v.channels, 2));
    zero(f, v, c);
    const taps = (body: () => void) => f.for(ky, 0, v.kernelY, 1, () => f.for(kx, 0, v.kernelX, 1, body));
    const sizes = { rows: v.outHeight, columns: v.outWidth };

    const nchw = () =>
      f.for(c, 0, v.channels, 1, () => {
        const source = i32.add(image, i32.shl(i32.mul(i32.mul(c, v.height), v.width), 2));
        f.do(pad.call({ ...v, channels: 1, from: source, ...padded }));
        taps(() => {
          const right = i32.shl(i32.mul(kx, v.dilationX), 2);
          f.set(x, i32.add(v.scratch, i32.add(i32.mul(i32.mul(ky, v.dilationY), rowBytes), right)));
          const all = { ...sizes, x, dy, dw, down: i32.mul(v.strideY, rowBytes), stride: i32.shl(v.strideX, 2) };
          f.if(
            i32.eq(v.strideX, 1),
            () => f.do(planes[0]!.call(all)),
            () =>
              f.if(
                i32.eq(v.strideX, 2),
                () => f.do(planes[1]!.call(all)),
                () => f.do(planes[2]!.call(all)),
              ),
          );
          f.add(dw, FLOAT);
        });
        f.set(dy, i32.add(dy, planeBytes));
      });
    const nhwc = () => {
      f.do(pad.call({ ...v, from: image, ...padded }));
      taps(() => {
        const wide = i32.mul(rowBytes, v.channels);
        const right = i32.mul(i32.mul(kx, v.dilationX), channelBytes);
        f.set(x, i32.add(v.scratch, i32.add(i32.mul(i32.mul(ky, v.dilationY), wide), right)));
        const steps = { down: i32.mul(v.strideY, wide), stride: i32.mul(v.strideX, channelBytes) };
        f.do(channelSums.call({ ...sizes, x, dy, dw, ...steps, channels: v.channels }));
        f.set(dw, i32.add(dw, channelBytes));
      });
      f.set(dy, i32.add(dy, i32.mul(planeBytes, v.channels)));
    };
    f.for(n, 0, v.batch, 1, () => {
      f.set(dw, v.dw);
      f.if(v.nhwc, nhwc, nchw);
      f.set(image, i32.add(image, imageBytes));
    });
  });
};

export const depthwiseFilterWasm: readonly WasmVariant[] = [
  { name: "vectors", level: "simd", spare: true, emit: emit("simd") },
  { name: "vectors, fma", level: "relaxed", emit: emit("relaxed") },
];

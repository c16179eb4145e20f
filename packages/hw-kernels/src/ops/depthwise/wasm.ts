import { type Body, type Expr, f32x4, i32, type Local, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type Level, type WasmVariant } from "../../op.ts";
import { addPad, paddedLocals } from "../conv2d/patches.ts";
import { clampVector, multiplyAdd } from "../vectors.ts";
import { depthwiseArgs } from "./op.ts";
import { type StridedLoad, stridedLoads } from "./strided.ts";

type Int = Expr<"i32">;
const FLOAT = 4;
const VECTOR = 16;

const rowParameters = {
  from: "i32",
  to: "i32",
  w: "i32",
  bias: "i32",
  count: "i32",
  kernelY: "i32",
  kernelX: "i32",
  downStep: "i32",
  rightStep: "i32",
  stride: "i32",
  low: "f32",
  high: "f32",
} as const;
const tapLoop = (
  f: Body,
  {
    from,
    kernelY,
    kernelX,
    downStep,
    rightStep,
  }: Record<"from" | "kernelY" | "kernelX" | "downStep" | "rightStep", Int>,
  body: (p: Local<"i32">) => void,
) => {
  const [ky, kx, p] = [f.local("i32"), f.local("i32"), f.local("i32")];
  f.for(ky, 0, kernelY, 1, () => {
    f.set(p, i32.add(from, i32.mul(ky, downStep)));
    f.for(kx, 0, kernelX, 1, () => {
      body(p);
      f.set(p, i32.add(p, rightStep));
    });
  });
};

/** Adds one row of one channel, NCHW: pixels side by side in vectors. All steps in bytes. */
const addRow = (m: Module, level: Level, { name, load }: StridedLoad) =>
  m.func(`row${name}`, rowParameters, (f, v) => {
    const madd = multiplyAdd[level];
    const sums = f.locals("v128", 4);
    const [w, tap, first] = [f.local("i32"), f.local("v128"), f.local("v128")];
    const [low, high] = [f.let(f32x4.splat(v.low)), f.let(f32x4.splat(v.high))];
    f.if(v.bias, () => f.set(first, v128.load32_splat(v.bias)));
    const block = (
      count: number,
      loadAt: (p: Int, i: number) => Expr<"v128">,
      store: (sum: Expr<"v128">, i: number) => void,
    ) => {
      const some = sums.slice(0, Math.ceil(count / 4));
      for (const sum of some) f.set(sum, first);
      f.set(w, v.w);
      tapLoop(f, v, (p) => {
        f.set(tap, v128.load32_splat(w));
        for (const [i, sum] of some.entries()) f.set(sum, madd(tap, loadAt(p, i), sum));
        f.add(w, FLOAT);
      });
      for (const [i, sum] of some.entries()) store(clampVector(sum, low, high), i);
      f.set(v.from, i32.add(v.from, i32.mul(v.stride, count)));
      f.add(v.to, count * FLOAT);
      f.add(v.count, -count);
    };
    const vectors = (p: Int, i: number) => load(p, i, v.stride);
    const storeVector = (sum: Expr<"v128">, i: number) => f.do(v128.store(v.to, sum, i * VECTOR));
    f.while(i32.ge_s(v.count, 16), () => block(16, vectors, storeVector));
    f.while(i32.ge_s(v.count, 4), () => block(4, vectors, storeVector));
    f.while(i32.gt_s(v.count, 0), () =>
      block(
        1,
        (p) => v128.load32_zero(p),
        (sum) => f.do(v128.store32_lane(v.to, sum, 0)),
      ),
    );
  });

const pixelParameters = { ...rowParameters, channels: "i32" } as const;

/** Adds one row of all channels, NHWC: channels side by side in vectors, four pixels at a time. */
const addPixels = (m: Module, level: Level) =>
  m.func("pixels", pixelParameters, (f, v) => {
    const madd = multiplyAdd[level];
    const allSums = f.locals("v128", 8);
    const taps = f.locals("v128", 2);
    const [w, c, from] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const [low, high] = [f.let(f32x4.splat(v.low)), f.let(f32x4.splat(v.high))];
    const channelBytes = f.let(i32.shl(v.channels, 2));
    const pixelPointers = f.locals("i32", 4);

    /** `pixels` pixels from `from`, `channels` channels from c. */
    const block = (pixels: number, channels: number) => {
      const single = channels === 1;
      const width = Math.ceil(channels / 4);
      const load = (p: Int, i: number) => (single ? v128.load32_zero(p) : v128.load(p, i * VECTOR));
      const sums = Array.from({ length: pixels }, (_, i) => allSums.slice(i * width, (i + 1) * width));
      const offset = i32.shl(c, 2);
      for (const row of sums)
        for (const [i, sum] of row.entries()) {
          f.set(sum, f32x4.const(0));
          f.if(v.bias, () => f.set(sum, load(i32.add(v.bias, offset), i)));
        }
      f.set(w, i32.add(v.w, offset));
      f.set(from, i32.add(v.from, offset));
      tapLoop(f, { ...v, from }, (p) => {
        for (let i = 0; i < width; i++) f.set(taps[i]!, load(w, i));
        f.set(pixelPointers[0]!, p);
        for (let i = 1; i < pixels; i++) f.set(pixelPointers[i]!, i32.add(pixelPointers[i - 1]!, v.stride));
        for (const [pixel, row] of sums.entries())
          for (const [i, sum] of row.entries()) f.set(sum, madd(taps[i]!, load(pixelPointers[pixel]!, i), sum));
        f.set(w, i32.add(w, channelBytes));
      });
      for (const [pixel, row] of sums.entries())
        for (const [i, sum] of row.entries()) {
          const to = i32.add(i32.add(v.to, offset), i32.mul(channelBytes, pixel));
          const value = clampVector(sum, low, high);
          f.do(single ? v128.store32_lane(to, value, 0) : v128.store(to, value, i * VECTOR));
        }
      f.add(c, channels);
    };
    const allChannels = (pixels: number) => {
      f.set(c, 0);
      for (const channels of [8, 4, 1])
        f.while(i32.le_s(i32.add(c, channels), v.channels), () => block(pixels, channels));
      f.set(v.from, i32.add(v.from, i32.mul(v.stride, pixels)));
      f.set(v.to, i32.add(v.to, i32.mul(channelBytes, pixels)));
      f.add(v.count, -pixels);
    };
    f.while(i32.ge_s(v.count, 4), () => allChannels(4));
    f.while(i32.gt_s(v.count, 0), () => allChannels(1));
  });

const emit = (level: Level) => (module: Module) => {
  const pad = addPad(module);
  const rows = stridedLoads.map((load) => addRow(module, level, load));
  const pixels = addPixels(module, level);
  module.func("run", kernelParameters(depthwiseArgs), (f, v) => {
    const padded = paddedLocals(f, v);
    const [n, c, y] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const [image, to, w, from] = [f.let(v.x), f.let(v.y), f.local("i32"), f.local("i32")];
    const rowBytes = f.let(i32.shl(padded.columns, 2));
    const imageBytes = f.let(i32.shl(i32.mul(i32.mul(v.channels, v.height), v.width), 2));
    const channelBytes = f.let(i32.shl(v.channels, 2));

    const planes = () =>
      f.for(c, 0, v.channels, 1, () => {
        // One padded plane at a time stays in the first cache.
        const source = i32.add(image, i32.shl(i32.mul(i32.mul(c, v.height), v.width), 2));
        f.do(pad.call({ ...v, channels: 1, from: source, ...padded }));
        f.set(w, i32.add(v.w, i32.shl(i32.mul(i32.mul(c, v.kernelY), v.kernelX), 2)));
        const bias = i32.mul(i32.ne(v.bias, 0), i32.add(v.bias, i32.shl(c, 2)));
        f.for(y, 0, v.outHeight, 1, () => {
          f.set(from, i32.add(v.scratch, i32.mul(i32.mul(y, v.strideY), rowBytes)));
          const steps = { downStep: i32.mul(v.dilationY, rowBytes), rightStep: i32.shl(v.dilationX, 2) };
          const all = { ...v, from, to, w, bias, count: v.outWidth, ...steps, stride: i32.shl(v.strideX, 2) };
          f.if(
            i32.eq(v.strideX, 1),
            () => f.do(rows[0]!.call(all)),
            () =>
              f.if(
                i32.eq(v.strideX, 2),
                () => f.do(rows[1]!.call(all)),
                () => f.do(rows[2]!.call(all)),
              ),
          );
          f.set(to, i32.add(to, i32.shl(v.outWidth, 2)));
        });
      });
    const channelsLast = () => {
      f.do(pad.call({ ...v, from: image, ...padded }));
      f.for(y, 0, v.outHeight, 1, () => {
        const wide = i32.mul(rowBytes, v.channels);
        f.set(from, i32.add(v.scratch, i32.mul(i32.mul(y, v.strideY), wide)));
        const steps = { downStep: i32.mul(v.dilationY, wide), rightStep: i32.mul(v.dilationX, channelBytes) };
        const stride = i32.mul(v.strideX, channelBytes);
        f.do(pixels.call({ ...v, from, to, count: v.outWidth, ...steps, stride }));
        f.set(to, i32.add(to, i32.mul(v.outWidth, channelBytes)));
      });
    };
    f.for(n, 0, v.batch, 1, () => {
      f.if(v.nhwc, channelsLast, planes);
      f.set(image, i32.add(image, imageBytes));
    });
  });
};

export const depthwiseWasm: readonly WasmVariant[] = [
  { name: "vectors", level: "simd", spare: true, emit: emit("simd") },
  { name: "vectors, fma", level: "relaxed", emit: emit("relaxed") },
];

import { i8x16, i32, type Module, v128 } from "../../asm/index.ts";
import { kernelParameters, type WasmVariant } from "../../op.ts";
import { bytePlanesArgs } from "./op.ts";

const LANES = 16;
const range16 = (at: (i: number) => number) => Array.from({ length: LANES }, (_, i) => at(i));
/** Every second byte of two vectors, and two vectors byte by byte. */
const EVEN = range16((i) => 2 * i);
const ODD = range16((i) => 2 * i + 1);
const LOW = range16((i) => (i >> 1) + (i & 1) * LANES);
const HIGH = range16((i) => LANES / 2 + (i >> 1) + (i & 1) * LANES);

const emit = (m: Module) =>
  m.func("run", kernelParameters(bytePlanesArgs), (f, { x, y, count, size, back }) => {
    const [i, b, plane, number, from, to] = [
      ...[f.local("i32"), f.local("i32"), f.local("i32")],
      ...[f.local("i32"), f.local("i32"), f.local("i32")],
    ] as const;
    const [v, t] = [f.locals("v128", 4), f.locals("v128", 4)];
    // sixteen numbers of 2 or 4 bytes at a time
    for (const bytes of [2, 4])
      f.if(i32.eq(size, bytes), () =>
        f.while(i32.le_s(i, i32.sub(count, LANES)), () => {
          f.if(
            back,
            () => {
              f.set(from, i32.add(x, i));
              for (let k = 0; k < bytes; k++) {
                f.set(v[k]!, v128.load(from));
                f.add(from, count);
              }
              f.set(to, i32.add(y, i32.mul(i, bytes)));
              if (bytes === 2) {
                f.do(v128.store(to, i8x16.shuffle(v[0]!, v[1]!, LOW)));
                f.do(v128.store(to, i8x16.shuffle(v[0]!, v[1]!, HIGH), LANES));
              } else {
                f.set(t[0]!, i8x16.shuffle(v[0]!, v[2]!, LOW));
                f.set(t[1]!, i8x16.shuffle(v[0]!, v[2]!, HIGH));
                f.set(t[2]!, i8x16.shuffle(v[1]!, v[3]!, LOW));
                f.set(t[3]!, i8x16.shuffle(v[1]!, v[3]!, HIGH));
                for (const half of [0, 1])
                  for (const [part, lanes] of [LOW, HIGH].entries())
                    f.do(v128.store(to, i8x16.shuffle(t[half]!, t[2 + half]!, lanes), (2 * half + part) * LANES));
              }
            },
            () => {
              f.set(from, i32.add(x, i32.mul(i, bytes)));
              for (let k = 0; k < bytes; k++) f.set(v[k]!, v128.load(from, k * LANES));
              f.set(to, i32.add(y, i));
              const pairs = bytes === 2 ? [] : [EVEN, ODD];
              for (const [k, lanes] of pairs.entries())
                for (const half of [0, 1])
                  f.set(t[2 * k + half]!, i8x16.shuffle(v[2 * half]!, v[2 * half + 1]!, lanes));
              // the even bytes of even bytes are plane 0, their odd ones plane 2
              const planes =
                bytes === 2
                  ? ([
                      [v[0]!, v[1]!, EVEN],
                      [v[0]!, v[1]!, ODD],
                    ] as const)
                  : ([
                      [t[0]!, t[1]!, EVEN],
                      [t[2]!, t[3]!, EVEN],
                      [t[0]!, t[1]!, ODD],
                      [t[2]!, t[3]!, ODD],
                    ] as const);
              for (const [first, second, lanes] of planes) {
                f.do(v128.store(to, i8x16.shuffle(first, second, lanes)));
                f.add(to, count);
              }
            },
          );
          f.add(i, LANES);
        }),
      );
    f.for(i, i, count, 1, () => {
      f.set(number, i32.mul(i, size));
      f.set(plane, i);
      f.for(b, 0, size, 1, () => {
        f.if(
          back,
          () => f.do(i32.store8(i32.add(y, number), i32.load8_u(i32.add(x, plane)))),
          () => f.do(i32.store8(i32.add(y, plane), i32.load8_u(i32.add(x, number)))),
        );
        f.add(number, 1);
        f.set(plane, i32.add(plane, count));
      });
    });
  });

export const bytePlanesWasm: readonly WasmVariant[] = [{ name: "sixteen", level: "simd", emit }];

import { type Body, type Expr, i32, type Local, v128 } from "../asm/index.ts";

const FLOAT = 4;

/** How a body that works on four numbers reaches them, or the last ones, one by one: then in the lowest lane. */
export interface Access {
  /** Numbers at once: 4 or 1. */
  readonly size: number;
  readonly load: (base: Expr<"i32">) => Expr<"v128">;
  readonly store: (base: Expr<"i32">, value: Local<"v128"> | Expr<"v128">) => void;
}

/** Emits `body` for every four numbers of `count`, then for each that is left; `at` is the byte offset from the bases. */
export const sweep = (f: Body, at: Local<"i32">, count: Expr<"i32">, body: (access: Access) => void): void => {
  const left = f.let(count);
  const step = (numbers: number, access: Access) => {
    body(access);
    f.add(at, numbers * FLOAT);
    f.add(left, -numbers);
  };
  const address = (base: Expr<"i32">) => i32.add(base, at);
  f.set(at, 0);
  f.while(i32.ge_s(left, 4), () =>
    step(4, {
      size: 4,
      load: (base) => v128.load(address(base)),
      store: (base, value) => f.do(v128.store(address(base), value)),
    }),
  );
  f.while(i32.gt_s(left, 0), () =>
    step(1, {
      size: 1,
      load: (base) => v128.load32_zero(address(base)),
      store: (base, value) => f.do(v128.store32_lane(address(base), value, 0)),
    }),
  );
};

import { type Body, type Expr, f32, i32, type Local, type Module, v128 } from "../../asm/index.ts";
import { packing } from "./pack.ts";

const FLOAT = 4;
const { loadLanes, storeLanes, parts, transpose4, pad } = packing;

/** Whether the numbers at table[at] .. table[at + count - 1] are byte offsets of neighbours. */
export const neighbours = (table: Expr<"i32">, at: Expr<"i32">, count: number): Expr<"i32"> => {
  const first = i32.add(table, i32.shl(at, 2));
  const span = i32.sub(i32.load(first, (count - 1) * FLOAT), i32.load(first));
  return i32.eq(span, (count - 1) * FLOAT);
};

const parameters = {
  base: "i32",
  across: "i32",
  along: "i32",
  start: "i32",
  first: "i32",
  to: "i32",
  depth: "i32",
  width: "i32",
} as const;

/**
 * Adds the packing of a panel for `micro` from a matrix whose element [k, j] lies at base + across[j] + along[k], both
 * tables of byte offsets that rise:
 *
 *     to[k, j] = base[across[start + j] + along[first + k]]      k below depth, j below fullWidth
 *
 * padded with zeros to a multiple of DEPTH_STEP. Of a panel at the edge only `width` columns are asked for; the others are
 * any numbers. This is how convolutions read patches of an image without writing them out.
 */
export const addGather = (m: Module, name: string, fullWidth: number) =>
  m.func(name, parameters, (f, { base, across, along, start, first, to, depth, width }) => {
    const k = f.local("i32");
    const offset = f.local("i32");
    const value = f.local("v128");
    const last = f.let(i32.sub(width, 1));
    const next = (steps: number) => f.add(to, steps * fullWidth * FLOAT);
    const alongAt = () => i32.load(i32.add(along, i32.shl(i32.add(first, k), 2)));

    /** The panel's columns, those past the edge repeating the last one. */
    const pointers = f.locals("i32", fullWidth);
    for (const [j, p] of pointers.entries()) {
      const column = i32.add(start, least(i32.const(j), last));
      f.set(p, i32.add(base, i32.load(i32.add(across, i32.shl(column, 2)))));
    }

    const rows = () =>
      f.for(k, 0, depth, 1, () => {
        f.set(offset, i32.add(pointers[0]!, alongAt()));
        for (const [begin, count] of parts(fullWidth)) {
          f.set(value, loadLanes(offset, count, begin * FLOAT));
          storeLanes(f, to, value, count, begin * FLOAT);
        }
        next(1);
      });

    const [r, t] = [f.locals("v128", 4), f.locals("v128", 4)];
    const single = () => {
      f.set(offset, alongAt());
      for (const [j, p] of pointers.entries()) f.do(f32.store(to, f32.load(i32.add(p, offset)), j * FLOAT));
      next(1);
      f.add(k, 1);
    };
    const quad = () => {
      f.set(offset, alongAt());
      for (const [begin, count] of parts(fullWidth)) {
        for (let j = 0; j < count; j++) f.set(r[j]!, v128.load(i32.add(pointers[begin + j]!, offset)));
        transpose4(f, r, t);
        for (let step = 0; step < 4; step++) storeLanes(f, to, r[step]!, count, (step * fullWidth + begin) * FLOAT);
      }
      next(4);
      f.add(k, 4);
    };
    const columns = () => {
      f.set(k, 0);
      f.while(i32.lt_s(k, depth), () => {
        const room = i32.le_s(i32.add(k, 4), depth);
        f.if(
          and(f, room, () => neighbours(along, i32.add(first, k), 4)),
          quad,
          single,
        );
      });
    };

    f.if(
      and(f, i32.eq(width, fullWidth), () => neighbours(across, start, fullWidth)),
      rows,
      columns,
    );
    pad(f, to, depth, fullWidth);
  });

const least = (a: Expr<"i32">, b: Expr<"i32">): Expr<"i32"> => i32.sub(a, i32.mul(i32.gt_s(a, b), i32.sub(a, b)));

/** a && b(), the second not evaluated where the first is 0. */
const and = (f: Body, a: Expr<"i32">, b: () => Expr<"i32">): Local<"i32"> => {
  const result = f.let(i32.const(0));
  f.if(a, () => f.set(result, b()));
  return result;
};

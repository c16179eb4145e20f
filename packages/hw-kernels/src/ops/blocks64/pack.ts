import { type Expr, f64, i32, type Local, type Module, select } from "../../asm/index.ts";

export const DOUBLE = 8;
export type Int = Expr<"i32">;
export const least = (a: Int, b: Int): Int => select(a, b, i32.lt_s(a, b));
export const most = (a: Int, b: Int): Int => select(a, b, i32.gt_s(a, b));

const parameters = { lines: "i32", across: "i32", along: "i32", panel: "i32", depth: "i32", width: "i32" } as const;

/**
 * Adds the copying between `width` lines of doubles and a panel in which they lie side by side:
 *
 *     panel[k, j] = lines[min(j, width - 1), k]      element (j, k) at lines + j * across + k * along, in bytes
 *
 * The panel is `fullWidth` wide. Its columns past the edge repeat the last line, so that they can be written back as well.
 */
export const addPanelCopy = (m: Module, name: string, fullWidth: number, back = false) =>
  m.func(name, parameters, (f, { lines, across, along, panel, depth, width }) => {
    const last = f.let(i32.sub(width, 1));
    const k = f.local("i32");
    const pointers: Local<"i32">[] = f.locals("i32", fullWidth);
    for (const [j, p] of pointers.entries())
      f.set(p, i32.add(lines, i32.mul(j ? least(i32.const(j), last) : i32.const(0), across)));
    f.for(k, 0, depth, 1, () => {
      for (const [j, p] of pointers.entries()) {
        if (back) f.do(f64.store(p, f64.load(panel, j * DOUBLE)));
        else f.do(f64.store(panel, f64.load(p), j * DOUBLE));
        f.add(p, along);
      }
      f.add(panel, fullWidth * DOUBLE);
    });
  });

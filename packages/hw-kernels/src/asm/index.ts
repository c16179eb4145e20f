export { type Body, type Label, tee } from "./body.ts";
export { f32, f32x4, f64, f64x2, i8x16, i16x8, i32, i32x4, i64, i64x2, memory, select, v128 } from "./instructions.ts";
export { type Func, type Locals, type Module, type ModuleOptions, type Parameters, wasmModule } from "./module.ts";
export type { Expr, Local, Operand, Type } from "./types.ts";

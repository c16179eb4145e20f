export * as attrs from "./attrs.ts";
export { makeNode } from "./attrs.ts";
export * from "./errors.ts";
export type * from "./layers.ts";
export type * from "./model.ts";
export * from "./pass.ts";
export type * from "./run/ort.ts";
export * from "./tensor.ts";

export type { LayerFilter, Selection } from "@espalier/core";
export { type AsvdOptions, asvd } from "./method/asvd.ts";
export type { FactorOptions } from "./method/factor-pass.ts";
export { type Fisher, type FwsvdOptions, fwsvd } from "./method/fwsvd.ts";
export { svd } from "./method/svd.ts";
export { type SvdLlmOptions, svdLlm } from "./method/svd-llm.ts";
export type { RankOptions } from "./rank/rank-options.ts";

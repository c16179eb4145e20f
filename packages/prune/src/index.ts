export type { LayerFilter, Selection } from "@espalier/core";
export { brokenMasks, MASKS, type Mask, masksOf } from "./mask.ts";
export { type MagnitudeOptions, magnitude } from "./method/magnitude.ts";
export type { PruneOptions } from "./method/prune-options.ts";
export { optionSchemas } from "./option-schemas.ts";
export { magnitudeScore } from "./score/magnitude.ts";
export type { Score, Weights } from "./score/score.ts";

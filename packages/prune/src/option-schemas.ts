import { trainSchemas } from "@espalier/core/train";
import type { DstOptions } from "./method/dst.ts";
import type { GradualOptions } from "./method/gradual.ts";
import type { HanOptions } from "./method/han.ts";
import type { MagnitudeOptions } from "./method/magnitude.ts";
import type { MergeNeuronsOptions } from "./method/merge-neurons.ts";
import type { NmOptions } from "./method/nm.ts";
import type { ObsOptions } from "./method/obs.ts";
import type { ShortGptOptions } from "./method/short-gpt.ts";
import type { SparseGptOptions } from "./method/sparse-gpt.ts";
import type { StrOptions } from "./method/str.ts";
import type { StructuredOptions } from "./method/structured.ts";
import type { SurgeryOptions } from "./method/surgery.ts";
import type { WandaOptions } from "./method/wanda.ts";

/** JSON Schema, the part that is used here. */
interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly description?: string;
}

/** Options that JSON can hold, without those that are functions. */
const object = <Options>(properties: Readonly<Partial<Record<keyof Options & string, Schema>>>): Schema => ({
  type: "object",
  properties: properties as Readonly<Record<string, Schema>>,
  additionalProperties: false,
});

const names: readonly Schema[] = [{ type: "string" }, { type: "array", items: { type: "string" } }];
const pattern: Schema = {
  type: "string",
  pattern: "^[0-9]+:[0-9]+$",
  description: 'N weights of each M along the inputs stay: "2:4".',
};
const withBlocks: Schema = {
  type: "string",
  pattern: "^[0-9]+[:x][0-9]+$",
  description: '"2:4": N weights of each M along the inputs stay; "4x4": blocks of outputs × inputs go as one.',
};
const common = {
  skip: { anyOf: names, description: "Layers that are left alone: names, operators, globs." },
  only: { anyOf: names, description: "The only layers that are changed: names, operators, globs." },
  sparsity: { type: "number", minimum: 0, exclusiveMaximum: 1, description: "Share of the weights to set to zero." },
  pattern,
  embeddings: { type: "boolean", description: "Prune tables of embeddings too." },
} satisfies Record<string, Schema>;
const uniform: Schema = { enum: ["uniform"], description: "The same sparsity for every layer." };
const sequential: Schema = {
  type: "boolean",
  description: "Calibrate each segment on what the pruned ones before it give.",
};
const calibrated = {
  ...common,
  ratios: { enum: ["uniform", "owl"], description: "The same sparsity for every layer, or less where outliers are." },
  sequential,
} satisfies Record<string, Schema>;
const damp: Schema = {
  type: "number",
  minimum: 0,
  maximum: 1,
  description: "Added to each Gram matrix, a share of its mean.",
};
const whole = (description: string): Schema => ({ type: "integer", minimum: 1, description });
const { sparsity: _, ...patterned } = common;

const { skip, only } = common;
const trained = { ...trainSchemas, skip, only };
const trainScope: Schema = { enum: ["layer", "global"], description: "Among which weights the smallest go." };
const share: Schema = { type: "number", minimum: 0, exclusiveMaximum: 1 };
const kinds: Schema = { enum: ["channels", "neurons", "heads", "headDims", "recurrent", "convGroups"] };

/** JSON Schema of the options of each pass, for recipes. What only code can say (functions) is left out. */
export const optionSchemas = {
  magnitude: object<MagnitudeOptions>({
    ...common,
    pattern: withBlocks,
    ratios: uniform,
    scope: { enum: ["layer", "global", "row"], description: "Among which weights the lowest go." },
    quality: { type: "number", minimum: 0, description: "Weights below this many standard deviations go." },
  }),
  wanda: object<WandaOptions>({
    ...calibrated,
    pattern: withBlocks,
    scope: { enum: ["row", "layer"], description: "Among which weights the lowest go." },
  }),
  nm: object<NmOptions>({
    ...patterned,
    sequential,
    score: { enum: ["magnitude", "wanda"], description: "What tells weights that go from those that stay." },
    permute: { type: "boolean", description: "Look for an order of the columns in which 2:4 keeps more." },
  }),
  sparseGpt: object<SparseGptOptions>({
    ...calibrated,
    damp,
    blockSize: whole("Columns whose zeros are chosen together."),
  }),
  obs: object<ObsOptions>({
    ...calibrated,
    damp,
    scope: { enum: ["layer", "row"], description: "Whether each layer or each output loses the same share." },
    maxColumns: whole("Layers whose rows are longer are left alone."),
  }),
  shortGpt: object<ShortGptOptions>({ drop: whole("Blocks to remove, those that change least.") }),
  han: object<HanOptions>({
    ...trained,
    sparsities: { type: "array", items: { ...share }, description: "Share of zeros after each round." },
    scope: trainScope,
  }),
  gradual: object<GradualOptions>({
    ...trained,
    sparsity: { ...share, description: "Share of the weights that are zero in the end." },
    initial: { ...share, description: "Share at the start." },
    until: { type: "number", minimum: 0, maximum: 1, description: "Share of the training after which it stays." },
    every: whole("Steps from one choice of weights to the next."),
    scope: trainScope,
  }),
  str: object<StrOptions>({
    ...trained,
    start: { type: "number", description: "Where every layer's s begins." },
    thresholdDecay: { type: "number", minimum: 0, description: "Weight decay of s." },
    threshold: { enum: ["sigmoid", "exp"], description: "The threshold as a function of s." },
  }),
  dst: object<DstOptions>({
    ...trained,
    alpha: { type: "number", minimum: 0, description: "Weight of the term that makes thresholds grow." },
  }),
  surgery: object<SurgeryOptions>({
    ...trained,
    c: { type: "number", description: "Thresholds lie at mean + c deviations of |w|." },
    gamma: { type: "number", minimum: 0, description: "How fast masks are looked at less often." },
    until: { type: "number", minimum: 0, maximum: 1, description: "Share of the training after which masks stay." },
  }),
  sparseInitializers: object<Record<never, never>>({}),
  mergeNeurons: object<MergeNeuronsOptions>({
    skip: common.skip,
    only: common.only,
    ratio: { ...share, description: "Share of the units of each group to merge; by default, up to the knee." },
    multiple: whole("What stays of an axis is a multiple of this."),
  }),
  structured: object<StructuredOptions>({
    skip: common.skip,
    only: common.only,
    ratio: { ...share, description: "Share of the multiply-accumulates, or of the budget, to remove." },
    score: { enum: ["l1", "l2", "median", "scale", "activation", "outputError"], description: "Which units go first." },
    scope: {
      enum: ["local", "global", "scan"],
      description: "The same share of every group, where it costs least, or where a scan of the outputs says.",
    },
    budget: { enum: ["macs", "bytes", "latency"], description: "What a scan's ratio is a share of." },
    multiple: { type: "number", minimum: 1, description: "What stays of an axis is a multiple of this." },
    keep: { ...share, description: "Share of the units of each group that stays at least." },
    reconstruct: { type: "boolean", description: "Solve the weights that take units in anew, on the data." },
    sequential: { type: "boolean", description: "Solve each on what the pruned layers before it give." },
    kinds: { type: "array", items: kinds, description: "Kinds of units that may go." },
  }),
} as const;

import type { AsvdOptions } from "./method/asvd.ts";
import type { ConvOptions } from "./method/conv-pass.ts";
import type { CpPassOptions } from "./method/cp.ts";
import type { FactorOptions } from "./method/factor-pass.ts";
import type { LoftqOptions } from "./method/loftq.ts";
import type { LqerOptions } from "./method/lqer.ts";
import type { SvdLlmOptions } from "./method/svd-llm.ts";
import type { TuckerOptions } from "./method/tucker.ts";

/** JSON Schema, the part that is used here. */
interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly description?: string;
  /** The value names a pass, as an entry of a recipe does; the factory is given the pass itself. */
  readonly makesPass?: boolean;
}

const object = <Options>(properties: Readonly<Record<keyof Options & string, Schema>>): Schema => ({
  type: "object",
  properties,
  additionalProperties: false,
});

const names: readonly Schema[] = [{ type: "string" }, { type: "array", items: { type: "string" } }];
const selection = {
  skip: { anyOf: names, description: "Layers that are left alone: names, operators, globs." },
  only: { anyOf: names, description: "The only layers that are changed: names, operators, globs." },
};
const share = (description: string): Schema => ({ type: "number", exclusiveMinimum: 0, maximum: 1, description });
const whole = (description: string): Schema => ({ type: "integer", minimum: 1, description });

const ratio = share("Share of the parameters to remove from each factored layer.");
const rank = whole("The same rank for every layer.");
const energy = share("Share of the squared singular values to keep in each layer.");
const budget = share("Share of the parameters to remove from all layers together.");

const factor = {
  ...selection,
  ratio,
  rank,
  energy,
  budget,
  together: { type: "boolean", description: "One first factor for layers that meet the same input." },
};
const conv = { ...selection, ratio, rank, energy, budget };
const correct = {
  ...selection,
  quantize: {
    type: "object",
    properties: { pass: { type: "string" }, options: { type: "object" } },
    required: ["pass"],
    additionalProperties: false,
    description: "The pass whose error is corrected, as an entry of a recipe.",
    makesPass: true,
  },
  rank: whole("Rank of the correction."),
  storage: { enum: ["float32", "float16"], description: "How the factors are stored." },
};

/** JSON Schema of the options of each pass, for recipes. What only code can say (functions) is left out. */
export const optionSchemas = {
  svd: object<FactorOptions>(factor),
  asvd: object<AsvdOptions>({
    ...factor,
    alpha: { type: "number", minimum: 0, maximum: 4, description: "How much the sizes of activations count." },
    size: { enum: ["mean", "max"], description: "The size of an input column." },
  }),
  svdLlm: object<SvdLlmOptions>({
    ...factor,
    damp: { type: "number", minimum: 0, maximum: 1, description: "Added to each Gram matrix, a share of its mean." },
    update: { type: "boolean", description: "Fit second factors to the outputs of the original." },
  }),
  spatial: object<ConvOptions>(conv),
  separable: object<ConvOptions>(conv),
  tucker: object<TuckerOptions>({
    ...conv,
    rounds: { type: "integer", minimum: 0, description: "Most rounds of orthogonal iteration." },
  }),
  cp: object<CpPassOptions>({
    ...selection,
    ratio,
    rank,
    budget,
    restarts: whole("Random starts, of which the best is taken."),
    rounds: whole("Most rounds from each start."),
  }),
  lqer: object<LqerOptions>({
    ...correct,
    scale: { enum: ["activations", "none"], description: "How the error is weighed." },
  }),
  loftq: object<LoftqOptions>({
    ...correct,
    rounds: whole("Rounds of the alternation."),
    start: {
      enum: ["zero", "svd"],
      description: "What the quantizer gets first: the weight, or what its factors leave.",
    },
  }),
} as const;

import type { Schema } from "@cfworker/json-schema";
import { type Budget, type Recipe, targets } from "./recipe.ts";

const positive = (description: string): Schema => ({ type: "number", exclusiveMinimum: 0, description });
const share = (description: string): Schema => ({ type: "number", minimum: 0, maximum: 1, description });

const budget: Readonly<Record<keyof Budget, Schema>> = {
  bytes: positive("Stored bytes of the result, all files, at most."),
  maxDrop: {
    type: "number",
    minimum: 0,
    description: "Loss in the first metric of the data module, in its own unit; relative L2 distance without one.",
  },
  relativeL2: { type: "number", minimum: 0, description: "Relative L2 distance of each float output, at most." },
  argmaxAgreement: share(
    "Share of rows whose largest score stays at its place, of each output of class scores, at least.",
  ),
  latencyRatio: positive("Median latency over that of the model that came in, at most."),
};

const head = {
  $schema: { type: "string", description: "For editors." },
  name: { type: "string", minLength: 1, description: "Names the recipe in reports and output files." },
  description: { type: "string" },
  target: {
    type: "string",
    enum: [...targets],
    description: "Where the result runs. What the caller says comes first; node where nobody says.",
  },
  budget: { type: "object", properties: budget, additionalProperties: false },
} satisfies Record<string, Schema>;

const passEntrySchema: Schema = {
  type: "object",
  properties: {
    pass: {
      type: "string",
      minLength: 1,
      description: 'Module and export: "@espalier/quant/rtn" is the export rtn of @espalier/quant.',
    },
    options: { type: "object", description: "Options of the pass, checked against its module's schema." },
  },
  required: ["pass"],
  additionalProperties: false,
};

const passes: Schema = {
  type: "array",
  items: passEntrySchema,
  minItems: 1,
  description: "In the order of their stages, as they run.",
};

export const passRecipeSchema: Schema = {
  type: "object",
  properties: { ...head, passes },
  required: ["name", "passes"],
  additionalProperties: false,
};

const candidates: Schema = {
  type: "array",
  minItems: 1,
  items: { anyOf: [{ type: "string" }, passRecipeSchema] },
  description: "Names of recipes, or recipes: all are tried, and the smallest result that keeps the budget is taken.",
};

const fields: Readonly<Record<keyof Recipe | "passes" | "candidates", Schema>> = {
  ...head,
  passes,
  candidates,
};

/** JSON Schema of recipe files, published as `@espalier/combine/recipe.schema.json`. */
export const recipeSchema: Schema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "Espalier recipe",
  type: "object",
  properties: fields,
  required: ["name"],
  additionalProperties: false,
  oneOf: [{ required: ["passes"] }, { required: ["candidates"] }],
};

import type { PassRecipe, SearchRecipe } from "./recipe.ts";

const rtn = "@espalier/quant/rtn";
const fourBits = { bits: 4, symmetric: false, rest: "float16" };

const plain = {
  int8: {
    name: "int8",
    description:
      "Linear layers on 8-bit integers, activations by their own range at every run; the rest stored in 8 bits.",
    passes: [{ pass: "@espalier/quant/dynamicInt8" }],
  },
  "int8-static": {
    name: "int8-static",
    description: "Convolutions and linear layers on 8-bit integers, activation ranges from calibration data.",
    passes: [{ pass: "@espalier/quant/staticInt8" }],
  },
  "int8-calibrated": {
    name: "int8-calibrated",
    description: "As int8-static, after outlier channels moved into weights and layers evened out their channels.",
    passes: [
      { pass: "@espalier/quant/smoothQuant" },
      { pass: "@espalier/quant/crossLayerEqualize" },
      { pass: "@espalier/quant/staticInt8" },
    ],
  },
  "int8-weights": {
    name: "int8-weights",
    description: "Weights stored in 8 bits, computed in float at float's speed.",
    passes: [{ pass: rtn, options: { bits: 8 } }],
  },
  int4: {
    name: "int4",
    description: "Linear layers and convolutions in 4 bits, embeddings and sensitive layers in 8.",
    passes: [
      { pass: rtn, options: { bits: 8, only: ["Gather"] } },
      { pass: rtn, options: fourBits },
    ],
  },
  "int4-all": {
    name: "int4-all",
    description: "As int4, with embeddings in 4 bits too.",
    passes: [{ pass: rtn, options: fourBits }],
  },
  "int4-calibrated": {
    name: "int4-calibrated",
    description: "As int4-all, rounded by GPTQ on calibration data, part after part of the model.",
    passes: [{ pass: "@espalier/quant/gptq", options: fourBits }],
  },
  mixed: {
    name: "mixed",
    description:
      "A width of 8, 6 or 4 bits for each layer by its output error on calibration data, 5.75 bits a weight in the mean.",
    passes: [
      {
        pass: "@espalier/quant/mixedPrecision",
        options: {
          choices: [{ bits: 8 }, { bits: 6 }, { bits: 4, symmetric: false, blockSize: 32, clip: "mse" }],
          budget: { bits: 5.75 },
        },
      },
    ],
  },
  fp16: {
    name: "fp16",
    description: "Weights stored in 16-bit floats, computed in 32 bits at float's speed.",
    passes: [{ pass: "@espalier/quant/float16" }],
  },
} satisfies Record<string, PassRecipe>;

/**
 * The recipe of those who name none: the first candidate is safe, so that a run that is stopped early has something;
 * the others follow by size, as far as that is known beforehand.
 */
const auto: SearchRecipe = {
  name: "auto",
  description: "Tries the others and takes the smallest result that keeps fidelity and latency.",
  candidates: ["int8-weights", "int4-all", "int4", "int8", "int8-static", "fp16"],
};

export type RecipeName = keyof typeof plain | "auto";

/** The recipes that go by a name. */
export const recipes: Readonly<Record<RecipeName, PassRecipe | SearchRecipe>> = { ...plain, auto };

/** One of `recipes` itself, not an equal: these are known to be right. */
export const isNamedRecipe = (recipe: unknown): recipe is PassRecipe | SearchRecipe =>
  Object.values(recipes).some((one) => one === recipe);

/** Where a compressed model is to run: onnxruntime-node, onnxruntime-web's wasm, or nowhere in particular. */
export type Target = "node" | "web" | "size";
export const targets: readonly Target[] = ["node", "web", "size"];

/** One step of a recipe. */
export interface PassEntry {
  /** "@espalier/quant/rtn": the last segment is the export of the module that the rest names. */
  readonly pass: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** What a result must keep. Fidelity is against the model that came in. */
export interface Budget {
  /** Stored bytes of the result, all files. */
  readonly bytes?: number;
  /**
   * Loss in the first metric of `evaluate`, in its own unit; relative L2 distance of each output where there is no
   * `evaluate`.
   */
  readonly maxDrop?: number;
  /** ‖after - before‖ / ‖before‖ of each float output, at most. */
  readonly relativeL2?: number;
  /** Share of rows whose largest score stays at its place, of each output of class scores, at least. */
  readonly argmaxAgreement?: number;
  /** Median latency of the result over that of the model that came in, at most. */
  readonly latencyRatio?: number;
}

interface RecipeHead {
  readonly $schema?: string;
  readonly name: string;
  readonly description?: string;
  readonly target?: Target;
  readonly budget?: Budget;
}

/** Passes one after the other. */
export interface PassRecipe extends RecipeHead {
  readonly passes: readonly PassEntry[];
}

/** Recipes that are tried; the smallest result that keeps the budget is taken. */
export interface SearchRecipe extends RecipeHead {
  /** Names of recipes, or recipes of passes. */
  readonly candidates: readonly (string | PassRecipe)[];
}

/** A way to compress a model, as plain JSON. */
export type Recipe = PassRecipe | SearchRecipe;

export const isSearch = (recipe: Recipe): recipe is SearchRecipe => "candidates" in recipe;

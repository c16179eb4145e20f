import { writeFile } from "node:fs/promises";
import { defineConfig } from "tsup";
import { recipeSchema } from "./src/recipe/recipe-schema.ts";

export default defineConfig({
  entry: ["src/index.ts"],
  format: "esm",
  target: "es2022",
  dts: true,
  clean: true,
  onSuccess: () => writeFile("dist/recipe.schema.json", `${JSON.stringify(recipeSchema, undefined, 2)}\n`),
});

import { defineConfig } from "tsup";

export default defineConfig({
  entry: { index: "src/index.ts", tfjs: "src/tfjs/index.ts" },
  format: "esm",
  target: "es2022",
  // Pages load it, and what is parsed counts in the time to the first result.
  minify: true,
  dts: true,
  clean: true,
});

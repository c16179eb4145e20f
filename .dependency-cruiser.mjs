// Packages depend one way: core and hw-kernels on none of ours, methods and combine on core, the command on anything.
const ours = (...allowed) => `^packages/(?!(${allowed.join("|")})/)`;
const direction = (from, allowed, comment) => ({
  name: `${from}-direction`,
  severity: "error",
  comment,
  from: { path: `^packages/${from}/src/`, pathNot: "\\.test\\.ts$" },
  to: { path: ours(from, ...allowed) },
});

export default {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    direction("core", [], "core imports none of ours"),
    direction("hw-kernels", [], "hw-kernels imports none of ours"),
    direction("quant", ["core"], "a method imports only core"),
    direction("prune", ["core"], "a method imports only core"),
    direction("lowrank", ["core"], "a method imports only core"),
    direction("combine", ["core"], "combine takes passes as values or loads them by name"),
    {
      name: "no-runtime-in-products",
      severity: "error",
      comment: "onnxruntime is injected; only the command brings one",
      from: { path: "^packages/(?!cli/)[^/]+/src/", pathNot: "\\.test\\.ts$" },
      to: { path: "onnxruntime-(node|web)", dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "/dist/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    enhancedResolveOptions: {
      conditionNames: ["espalier-source", "import", "types", "default"],
      exportsFields: ["exports"],
    },
  },
};

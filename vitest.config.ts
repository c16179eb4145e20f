import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["espalier-source"] },
  ssr: { resolve: { conditions: ["espalier-source"] } },
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "packages/*/test/**/*.test.ts",
      "bench/**/*.test.mjs",
      "test/**/*.test.ts",
    ],
    testTimeout: 60_000,
    pool: "forks",
    env: { ORT_DISABLE_TELEMETRY: "1" },
  },
});

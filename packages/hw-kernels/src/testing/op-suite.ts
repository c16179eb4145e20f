import { describe, expect, it } from "vitest";
import type { Row } from "../op.ts";
import { table } from "../ops/table.ts";
import { compareWithReference } from "../runtime/compare.ts";
import { emit } from "../runtime/compile.ts";
import { variantRunner } from "./run-variant.ts";

const ALIGNMENTS = 16;

/** Every variant of every op on every case, each case at another alignment; `compiler` says which one of V8 is on. */
export const opSuite = (compiler: string): void => {
  describe.each(table as Row[])(`$op.name, ${compiler}`, ({ op, reference, wasm }) => {
    for (const variant of wasm) {
      const missing = WebAssembly.validate(emit(variant, false)) ? "" : " (skipped: this engine has no relaxed SIMD)";
      it.skipIf(missing)(`"${variant.name}" is within the tolerance of the reference on all cases${missing}`, () => {
        const run = variantRunner(op, variant);
        let count = 0;
        for (const values of op.cases("all")) {
          const shift = count++ % ALIGNMENTS;
          expect(compareWithReference(op, reference, values, (copy) => run(copy, shift))).toBeUndefined();
        }
        expect(count).toBeGreaterThan(ALIGNMENTS);
      });
    }
  });
};

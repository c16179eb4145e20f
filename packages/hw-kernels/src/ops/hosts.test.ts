import { describe, expect, it } from "vitest";
import { hosts } from "../asm/interpreter/relaxed-semantics.ts";
import { compareWithReference } from "../runtime/compare.ts";
import { variantRunner } from "../testing/run-variant.ts";
import { table } from "./table.ts";

const ALIGNMENTS = 16;

describe.each(Object.entries(hosts))("on a host with %s", (_, host) => {
  for (const { op, reference, wasm } of table)
    for (const variant of wasm.filter(({ level }) => level === "relaxed"))
      it(`${op.name} "${variant.name}" is within the tolerance of the reference, interpreted`, () => {
        const run = variantRunner(op, variant, host);
        let count = 0;
        for (const values of op.cases("load")) {
          const shift = count++ % ALIGNMENTS;
          expect(compareWithReference(op, reference, values, (copy) => run(copy, shift))).toBeUndefined();
        }
        expect(count).toBeGreaterThan(0);
      });
});

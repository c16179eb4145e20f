import { describe, expect, it } from "vitest";
import type { RelaxedSemantics } from "../asm/interpreter/relaxed-semantics.ts";
import type { Row, WasmVariant } from "../op.ts";
import { table } from "../ops/table.ts";
import { probeRelaxed } from "../probe/relaxed.ts";
import { differenceFrom, type Expectation, expectation } from "../runtime/compare.ts";
import { copyValues, emit } from "../runtime/compile.ts";
import { variantRunner } from "./run-variant.ts";

const ALIGNMENTS = 16;
const PARTS = [2, 3, 5];

/** The reference's results for all cases of an op, made when first asked for. */
const expectations = (row: Row, scope: "load" | "all") => {
  let made: Expectation[] | undefined;
  return () => {
    made ??= [...row.op.cases(scope)].map((values) => expectation(row, values));
    return made;
  };
};

/** Why a variant cannot run here, in words for a test's name. */
const missingHere = (variant: WasmVariant): string => {
  if (!WebAssembly.validate(emit(variant, false))) return " (skipped: this engine has no relaxed SIMD)";
  const { dot } = variant.dot ? probeRelaxed() : {};
  return dot === variant.dot ? "" : ` (skipped: the relaxed dot is ${dot} in this engine)`;
};

const expectAll = (row: Row, cases: readonly Expectation[], run: ReturnType<typeof variantRunner>) => {
  expect(cases.length).toBeGreaterThan(0);
  for (const [i, one] of cases.entries())
    expect(differenceFrom(row.op, one, (copy) => run(copy, i % ALIGNMENTS))).toBeUndefined();
};

/** Every variant of every op on every case, each case at another alignment; `compiler` says which one of V8 is on. */
export const opSuite = (compiler: string): void => {
  describe.each(table as Row[])(`$op.name, ${compiler}`, (row) => {
    const cases = expectations(row, "all");
    for (const variant of row.wasm) {
      const missing = missingHere(variant);
      it.skipIf(missing)(`"${variant.name}" is within the tolerance of the reference on all cases${missing}`, () =>
        expectAll(row, cases(), variantRunner(row.op, variant)),
      );
    }
  });
};

/** Every variant of every op that can be split, on every case in 2, 3 and 5 parts: the same bits as in one. */
export const splitSuite = (): void => {
  for (const row of table.filter(({ op }) => op.split))
    for (const variant of row.wasm) {
      const missing = missingHere(variant);
      it.skipIf(missing)(`${row.op.name} "${variant.name}" gives the same bits in parts${missing}`, () => {
        const run = variantRunner(row.op, variant);
        let count = 0;
        for (const values of row.op.cases("all")) {
          const [whole, inParts] = [copyValues(row.op, values), copyValues(row.op, values)];
          run(whole);
          run(inParts, 0, PARTS[count++ % PARTS.length]);
          expect(bitsOf(inParts)).toBe(bitsOf(whole));
        }
      });
    }
};

/** All arrays of a call as one string of bytes. */
const bitsOf = (values: Readonly<Record<string, unknown>>) =>
  Object.values(values)
    .filter((value) => ArrayBuffer.isView(value))
    .map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("latin1"))
    .join();

/** Every relaxed variant on the cases that are checked at load, interpreted as each of the hosts would execute it. */
export const hostSuite = (hosts: Readonly<Record<string, RelaxedSemantics>>): void => {
  for (const row of table) {
    const cases = expectations(row, "load");
    for (const variant of row.wasm.filter(({ level }) => level === "relaxed"))
      it.each(Object.entries(hosts).filter(([, host]) => !variant.dot || host.dot === variant.dot))(
        `${row.op.name} "${variant.name}" is within the tolerance of the reference, interpreted for %s`,
        (_, host) => expectAll(row, cases(), variantRunner(row.op, variant, host)),
      );
  }
};

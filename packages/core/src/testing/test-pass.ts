import { chain, runPass } from "../chain.ts";
import { definePass } from "../define-pass.ts";
import { isEspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import { readOnnx } from "../onnx/read.ts";
import { writeOnnx } from "../onnx/write.ts";
import type { Calibration, Pass, ReportEntry } from "../pass.ts";
import type { Ort } from "../run/ort.ts";
import { openSession } from "../run/session.ts";
import { type TinyCase, tinyModels } from "./tiny-models.ts";

export interface TestPassOptions {
  /** onnxruntime-node or onnxruntime-web. */
  readonly ort: Ort;
  /** Models to try the pass on, with their samples; the tiny models of this module by default. */
  readonly models?: Readonly<Record<string, () => TinyCase>>;
}

type It = (name: string, test: () => Promise<void>) => unknown;

const check = (holds: boolean, message: string) => {
  if (!holds) throw new Error(message);
};

const sameBytes = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Everything of a model that a careless pass could change in place, as text. */
const fingerprint = async (model: Model): Promise<string> => {
  const bytes = await writeOnnx(model);
  return `${bytes.length} ${bytes.join()}`;
};

const idle = definePass({ name: "testing/idle", stage: "structure", apply: (model) => model });

/**
 * Declares the tests that every pass must hold, by `it` of vitest, jest or node:test: its input stays as it was, the
 * same seed gives the same bytes, it works in a chain, it stops when told to, and what it makes is loaded and run by
 * onnxruntime with finite outputs of the same dims.
 *
 *     describe("mine", () => testPass(it, () => mine(), { ort }));
 */
export const testPass = (it: It, make: () => Pass, { ort, models = tinyModels }: TestPassOptions): void => {
  const contextOf = ({ samples }: TinyCase, signal?: AbortSignal) => {
    const calibration: Calibration = () => samples;
    return { ort, calibration, seed: 1, ...(signal && { signal }) };
  };

  for (const [name, open] of Object.entries(models)) {
    it(`${name}: leaves its input as it was`, async () => {
      const given = open();
      const before = await fingerprint(given.model);
      await runPass(given.model, make(), contextOf(given));
      check((await fingerprint(given.model)) === before, "the pass changed the model that it was given");
    });

    it(`${name}: gives the same bytes for the same seed, alone and in a chain`, async () => {
      const given = open();
      const [a, b, c] = [make(), make(), chain([idle, make()])];
      const made = [];
      for (const pass of [a, b, c]) made.push(await writeOnnx(await runPass(given.model, pass, contextOf(given))));
      check(sameBytes(made[0], made[1]), "two runs with one seed differ");
      check(sameBytes(made[0], made[2]), "the pass gives other bytes in a chain");
    });

    it(`${name}: what it makes is loaded and run, with finite outputs of the same dims`, async () => {
      const given = open();
      const written = readOnnx(await writeOnnx(await runPass(given.model, make(), contextOf(given))));
      const [before, after] = [await openSession(ort, given.model), await openSession(ort, written)];
      try {
        for (const feeds of given.samples) {
          const [expected, found] = [await before.run(feeds), await after.run(feeds)];
          for (const [output, { dims, data }] of Object.entries(expected)) {
            check(found[output] !== undefined, `output "${output}" is gone`);
            check(found[output].dims.join() === dims.join(), `output "${output}" has dims [${found[output].dims}]`);
            const finite = Array.from(found[output].data as Float32Array, Number).every(Number.isFinite);
            check(
              finite || !Array.from(data as Float32Array, Number).every(Number.isFinite),
              `"${output}" is not finite`,
            );
          }
        }
      } finally {
        await before.release();
        await after.release();
      }
    });
  }

  it("stops with ABORTED when its signal was raised", async () => {
    const given = Object.values(models)[0]();
    const error = await runPass(given.model, make(), contextOf(given, AbortSignal.abort())).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    check(isEspalierError(error) && error.code === "ABORTED", `expected ABORTED, got ${String(error)}`);
  });

  it("reports every layer that it changes or leaves, with a form or a reason", async () => {
    for (const open of Object.values(models)) {
      const given = open();
      const entries: ReportEntry[] = [];
      const made = await runPass(given.model, make(), { ...contextOf(given), report: (entry) => entries.push(entry) });
      check(made === given.model || entries.length > 0, "the pass changed a model and reported nothing");
      const silent = entries.find(({ action, form, reason }) => (action === "changed" ? !form && !reason : !reason));
      check(silent === undefined, `the entry of "${silent?.layer}" says neither form nor reason`);
    }
  });
};

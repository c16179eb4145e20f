import { type Context, missingNeeds, type Pass, stages } from "@espalier/core";
import { conflict, missingNeed } from "./errors.ts";

const rank = ({ stage }: Pass) => stages.indexOf(stage);

/** Passes by stage; those of one stage stay as they stand. */
export const orderPasses = (passes: readonly Pass[]): Pass[] => passes.toSorted((a, b) => rank(a) - rank(b));

/** What is wrong with the order of passes, with the right one; undefined where it is right. */
export const orderProblem = (passes: readonly Pass[]): string | undefined => {
  const at = passes.findIndex((pass, i) => i > 0 && rank(pass) < rank(passes[i - 1]!));
  if (at < 0) return undefined;
  const [before, pass] = [passes[at - 1]!, passes[at]!];
  const right = orderPasses(passes).map(({ name }) => name);
  return `${pass.name} (${pass.stage}) stands after ${before.name} (${before.stage}), and must come before; the right order is ${right.join(", ")}`;
};

/** True where `pass` names `other`, or a prefix of it that ends in "/". */
const excludes = ({ traits }: Pass, other: Pass): boolean =>
  (traits?.conflictsWith ?? []).some((name) =>
    name.endsWith("/") ? other.name.startsWith(name) : other.name === name,
  );

const conflictsOf = (passes: readonly Pass[]): string[] =>
  passes.flatMap((pass, i) =>
    passes
      .slice(i + 1)
      .filter((other) => excludes(pass, other) || excludes(other, pass))
      .map((other) => `${pass.name} and ${other.name} exclude each other`),
  );

const advice: Readonly<Record<string, string>> = {
  calibration: "calibration data, which is never made up. Give --data, or data.calibration",
  training: "labelled data. Export `training({ epoch, rng })` from the module of --data, or give data.training",
  ort: "a runtime. Give ort: onnxruntime-node or onnxruntime-web",
};

/**
 * Checks a whole list of passes before any of them runs.
 *
 * @throws EspalierError `CONFLICT` that names every two passes that exclude each other; `MISSING_NEED` that names every
 *   pass and what `context` lacks for it
 */
export const checkPasses = (
  passes: readonly Pass[],
  context: Pick<Context, "calibration" | "ort" | "training">,
): void => {
  const conflicts = conflictsOf(passes);
  if (conflicts.length > 0) throw conflict(conflicts);
  const missing = passes.flatMap((pass) =>
    missingNeeds(pass, context).map((need) => `${pass.name} needs ${advice[need] ?? `${need}. Give it`}`),
  );
  if (missing.length > 0) throw missingNeed(missing);
};

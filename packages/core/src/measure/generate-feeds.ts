import { checkAborted } from "../abort.ts";
import type { Model } from "../model.ts";
import { createRng } from "../numeric/rng.ts";
import type { Feeds } from "../pass.ts";
import type { Ort } from "../run/ort.ts";
import { openSession } from "../run/session.ts";
import { describeRole } from "./generate/describe-role.ts";
import { attempt, findRunning, makeFeeds, type Outputs } from "./generate/find-running.ts";
import { inputsOf } from "./generate/input-roles.ts";
import { nextStep } from "./generate/lengths.ts";

export interface GenerateOptions {
  readonly ort: Ort;
  /** Number of samples. */
  readonly count?: number;
  readonly seed?: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** What was made up for an input, so that a report can say so. */
export interface GeneratedInput {
  readonly name: string;
  /** Of the first sample. */
  readonly dims: readonly number[];
  /** "drawn pictures of discs and writing in [-1, 1]", "random ids below 30522" … */
  readonly what: string;
}

export interface Generated {
  readonly feeds: Feeds[];
  readonly inputs: readonly GeneratedInput[];
}

/**
 * Inputs made up from the signature of a model and what its graph does with them, and a line on each.
 *
 * Lengths that the file leaves open are chosen by the names of symbols and inputs (batch 1, sequence 32, no past,
 * images of 224 or lines of text of 320) and by trying: a list of likely ones is run until the model takes one; equal
 * symbols get equal lengths. Integers that look rows up in a table are uniform below its number of rows, masks hide
 * nothing, positions count on, sampling rates are those that the graph compares with. Images are drawn: discs that
 * occlude one another and lines of writing in [-1, 1], or in 0..255 where the graph takes bytes; sounds are voice-like,
 * other floats are Gaussian. Recurrent states and caches start from nothing and are then what the model itself gave for
 * the sample before: with a cache, every other sample is one further position.
 *
 * What compressed models lose on them is what they lose on real data within a factor of about 2 (measured on text
 * recognition and detection, sentence embeddings and a language model; 3 on a classifier that is sure of everything);
 * inputs of your own tell more.
 *
 * @throws EspalierError `BAD_DATA` for an input that cannot be guessed, or where no choice runs; `RUNTIME`, `ABORTED`
 */
export const generateInputs = async (
  model: Model,
  { ort, count = 8, seed = 0, threads, signal }: GenerateOptions,
): Promise<Generated> => {
  checkAborted("core/measure", signal);
  const inputs = await inputsOf(model);
  const rng = createRng(seed).fork("feeds");
  const session = await openSession(ort, model, {
    ...(threads !== undefined && { threads }),
    // tries that fail are no news
    ortOptions: { logSeverityLevel: 4 },
  });
  try {
    const { lengths, choice } = await findRunning(session, inputs, rng, signal);
    const carries = inputs.some(({ role }) => role.kind === "state" && role.output !== undefined);
    const step = nextStep(inputs, lengths);
    const feeds: Feeds[] = [];
    let last: Outputs | undefined;
    for (let sample = 0; sample < count; sample++) {
      checkAborted("core/measure", signal);
      const draw = rng.fork(String(sample));
      const fresh = () => makeFeeds(inputs, lengths, choice, draw, step ? undefined : last);
      let made = last && step && sample % 2 === 1 ? makeFeeds(inputs, step, choice, draw, last) : fresh();
      if (carries) {
        let outputs = await attempt(session, made);
        if (typeof outputs === "string") {
          made = makeFeeds(inputs, lengths, choice, draw);
          outputs = await attempt(session, made);
        }
        last = typeof outputs === "string" ? undefined : outputs;
      }
      feeds.push(made);
    }
    return {
      feeds,
      inputs: inputs.map(({ name, role }) => ({ name, dims: feeds[0]?.[name].dims ?? [], what: describeRole(role) })),
    };
  } finally {
    await session.release();
  }
};

/** The feeds of `generateInputs` alone. @throws EspalierError as `generateInputs` */
export const generateFeeds = async (model: Model, options: GenerateOptions): Promise<Feeds[]> =>
  (await generateInputs(model, options)).feeds;

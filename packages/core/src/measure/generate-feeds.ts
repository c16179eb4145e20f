import { checkAborted } from "../abort.ts";
import { EspalierError, isEspalierError } from "../errors.ts";
import type { Model } from "../model.ts";
import { isFloatType } from "../numeric/floats.ts";
import { createRng } from "../numeric/rng.ts";
import type { Feeds, Rng } from "../pass.ts";
import type { Ort } from "../run/ort.ts";
import { openSession, type Session } from "../run/session.ts";
import type { Tensor } from "../tensor.ts";
import { drawTensor } from "./generate/draw.ts";
import { type Input, inputsOf, type Role } from "./generate/input-roles.ts";
import { dimsOf, type Lengths, lengthChoices, nextStep, pastLength, sequenceLength } from "./generate/lengths.ts";
import { numbersOf } from "./numbers.ts";

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
  /** "smooth random images in [-1, 1]", "random ids below 30522" … */
  readonly what: string;
}

export interface Generated {
  readonly feeds: Feeds[];
  readonly inputs: readonly GeneratedInput[];
}

const describe = (role: Role): string => {
  switch (role.kind) {
    case "state":
      return role.output ? `zeros, then "${role.output}" of the sample before` : "zeros";
    case "ids":
      return `random ids below ${role.rows}`;
    case "mask":
      return "a mask that hides nothing";
    case "types":
      return "zeros";
    case "positions":
      return "positions in order";
    case "lengths":
      return "the length of the sequence";
    case "timestep":
      return "random steps below 1000";
    case "flag":
      return "whether there is a past";
    case "audio":
      return "a voice-like sound in [-1, 1]";
    case "gaussian":
      return "Gaussian noise";
    case "choice":
      return `one of ${role.values.join(", ")} that the model runs with`;
    case "image":
      return `smooth random images in ${role.peak === 1 ? "[-1, 1]" : "0..255"}`;
  }
};

/** How many values of the choices of inputs are tried. */
const MAX_CHOICES = 6;

const makeFeeds = (inputs: readonly Input[], lengths: Lengths, choice: number, rng: Rng, last?: Outputs): Feeds =>
  Object.fromEntries(
    inputs.map((input) => {
      const { name, role } = input;
      const carried = role.kind === "state" && role.output !== undefined ? last?.[role.output] : undefined;
      const draw = {
        rng: rng.fork(name),
        past: pastLength(inputs, lengths),
        sequence: sequenceLength(inputs, lengths),
        choice,
      };
      return [name, carried ?? drawTensor(input, dimsOf(input, lengths), draw)];
    }),
  );

type Outputs = Readonly<Record<string, Tensor>>;

/** Outputs that say something: not empty, and not a NaN throughout. */
const areUseful = (outputs: Outputs) =>
  Object.values(outputs).every((output) => {
    if (output.dims.includes(0)) return false;
    return !isFloatType(output.type) || !Array.from(numbersOf(output)).every(Number.isNaN);
  });

/** Outputs of a run, or the message of the runtime. */
const attempt = async (session: Session, feeds: Feeds): Promise<Outputs | string> => {
  try {
    const outputs = await session.run(feeds);
    return areUseful(outputs) ? outputs : "gives outputs of no length, or nothing but NaN";
  } catch (error) {
    if (isEspalierError(error) && error.code === "RUNTIME") return error.message;
    throw error;
  }
};

const noneRuns = (inputs: readonly Input[], tries: number, message: string) =>
  new EspalierError(
    "BAD_DATA",
    "core/measure",
    `no made-up input lets the model run; ${tries} choices of lengths were tried for ${inputs.map(({ name, shape }) => `"${name}" [${shape.map((dim) => dim || "?").join(", ")}]`).join(", ")}. The first failure: ${message}. Give samples of your own: --data, or data.calibration.`,
  );

/** The first lengths and choice that the model runs with, the likely ones tried first. */
const findRunning = async (session: Session, inputs: readonly Input[], rng: Rng, signal: AbortSignal | undefined) => {
  const choices = Math.min(
    MAX_CHOICES,
    Math.max(
      1,
      ...inputs.map(({ role }) => (role.kind === "choice" ? role.values.length : role.kind === "flag" ? 2 : 1)),
    ),
  );
  let first: string | undefined;
  let tries = 0;
  for (const lengths of lengthChoices(inputs))
    for (let choice = 0; choice < choices; choice++) {
      checkAborted("core/measure", signal);
      tries++;
      const found = await attempt(session, makeFeeds(inputs, lengths, choice, rng));
      if (typeof found !== "string") return { lengths, choice };
      first ??= found;
    }
  throw noneRuns(inputs, tries, first ?? "none");
};

/**
 * Inputs made up from the signature of a model and what its graph does with them, and a line on each.
 *
 * Lengths that the file leaves open are chosen by the names of symbols and inputs (batch 1, sequence 32, no past,
 * images of 224 or lines of text of 320) and by trying: a list of likely ones is run until the model takes one; equal
 * symbols get equal lengths. Integers that look rows up in a table are uniform below its number of rows, masks hide
 * nothing, positions count on, sampling rates are those that the graph compares with. Images are smooth random fields
 * with the spectrum of natural ones, sounds are voice-like, other floats are Gaussian. Recurrent states and caches start
 * from nothing and are then what the model itself gave for the sample before: with a cache, every other sample is one
 * further position.
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
      inputs: inputs.map(({ name, role }) => ({ name, dims: feeds[0]?.[name].dims ?? [], what: describe(role) })),
    };
  } finally {
    await session.release();
  }
};

/** The feeds of `generateInputs` alone. @throws EspalierError as `generateInputs` */
export const generateFeeds = async (model: Model, options: GenerateOptions): Promise<Feeds[]> =>
  (await generateInputs(model, options)).feeds;

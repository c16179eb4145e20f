import { checkAborted } from "../../abort.ts";
import { EspalierError, isEspalierError } from "../../errors.ts";
import { isFloatType } from "../../numeric/floats.ts";
import type { Rng } from "../../numeric/rng.ts";
import type { Feeds } from "../../pass.ts";
import type { Session } from "../../run/session.ts";
import type { Tensor } from "../../tensor.ts";
import { numbersOf } from "../numbers.ts";
import { drawTensor } from "./draw.ts";
import type { Input } from "./input-roles.ts";
import { dimsOf, type Lengths, lengthChoices, pastLength, sequenceLength } from "./lengths.ts";

/** Values of one run, by name. */
export type Outputs = Readonly<Record<string, Tensor>>;

/** How many values of the choices of inputs are tried. */
const MAX_CHOICES = 6;

/** Tensors for all inputs: what `last` gave for states, else drawn. */
export const makeFeeds = (
  inputs: readonly Input[],
  lengths: Lengths,
  choice: number,
  rng: Rng,
  last?: Outputs,
): Feeds =>
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

const isEmpty = ({ dims }: Tensor) => dims.includes(0);
const isNothing = (output: Tensor) =>
  isFloatType(output.type) && !isEmpty(output) && Array.from(numbersOf(output)).every(Number.isNaN);

/** Outputs that say something: not all empty (a detector may find nothing), and none NaN throughout. */
const areUseful = (outputs: Outputs) => {
  const all = Object.values(outputs);
  return !all.every(isEmpty) && !all.some(isNothing);
};

/** Outputs of a run, or the message of the runtime. */
export const attempt = async (session: Session, feeds: Feeds): Promise<Outputs | string> => {
  try {
    const outputs = await session.run(feeds);
    return areUseful(outputs) ? outputs : "it gave outputs of no length, or nothing but NaN";
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

/**
 * The first lengths and choice that the model runs with, the likely ones tried first.
 *
 * @throws EspalierError `BAD_DATA` where none runs
 */
export const findRunning = async (
  session: Session,
  inputs: readonly Input[],
  rng: Rng,
  signal: AbortSignal | undefined,
) => {
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

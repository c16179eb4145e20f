import type { Dim, ValueInfo } from "../../model.ts";

const STATE = /past|cache|state|hidden|cell|memory|^[hc][._-]?(in|0)?$/i;
/** Names that say that a value comes from the last step, also where no output is found. */
const FROM_LAST_STEP = /past|cache/i;

/** A state's name without what says that it comes from the last step or goes to the next. */
const stem = (name: string): string =>
  name
    .toLowerCase()
    .replace(/(past|present)(_key_values?)?|updated|next|prev(ious)?|new/g, "")
    .replace(/[._/:-]+(in|out|n|0|1)$/, "")
    .replace(/[._/:-]+/g, ".")
    .replace(/^\.|\.$/g, "");

const shapeOf = ({ type }: ValueInfo): readonly Dim[] | undefined => (type?.kind === "tensor" ? type.shape : undefined);

/** Same rank, and same lengths where both are told. */
const fits = (mine: readonly Dim[] | undefined, theirs: readonly Dim[] | undefined): boolean =>
  !mine ||
  !theirs ||
  (mine.length === theirs.length &&
    mine.every((dim, i) => typeof dim !== "number" || typeof theirs[i] !== "number" || dim === theirs[i]));

/**
 * Whether an input is a state (a recurrent one, or a cache of keys and values), and the output that it is fed from at
 * the next step: `hn` for `h`, `present.0.key` for `past_key_values.0.key`.
 */
export const stateOutput = (
  input: ValueInfo,
  outputs: readonly ValueInfo[],
): { readonly output: string | undefined } | undefined => {
  const { name } = input;
  if (!STATE.test(name)) return undefined;
  const next = (other: string) => other.toLowerCase() === `${name.toLowerCase()}n` || stem(other) === stem(name);
  const output = outputs.find((other) => next(other.name) && fits(shapeOf(input), shapeOf(other)))?.name;
  return output !== undefined || FROM_LAST_STEP.test(name) ? { output } : undefined;
};

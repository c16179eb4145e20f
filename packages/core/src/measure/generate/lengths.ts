import type { Dim } from "../../model.ts";
import type { Input } from "./input-roles.ts";

/** What the length of an axis means. */
type Axis = "batch" | "past" | "total" | "sequence" | "channels" | "height" | "width" | "samples" | "state";

/** Lengths to try, the likely ones first. */
const CANDIDATES: Readonly<Record<Axis, readonly number[]>> = {
  batch: [1, 2],
  past: [0, 16],
  total: [],
  sequence: [32, 64, 16, 128, 77, 8, 256, 512, 80, 100, 4, 1, 3000],
  channels: [3, 1, 4],
  height: [224, 320, 48, 64, 32, 256, 384, 512, 640, 28, 299, 96],
  width: [224, 320, 320, 64, 32, 256, 384, 512, 640, 28, 299, 96],
  samples: [512, 16000, 576, 1024, 1536, 480, 400, 4096, 48000],
  state: [1],
};
/** Width where only the height is fixed: a line of text. */
const LINE_WIDTHS = [320, 192, 160, 100, 128, 64];

/** Lengths of one try: by symbol, or by input and axis where the file gives no name. */
export type Lengths = ReadonlyMap<string, number>;

const keyOf = ({ name, shape }: Input, axis: number): string => {
  const dim = shape[axis];
  return typeof dim === "string" && dim !== "" ? dim : `${name}[${axis}]`;
};

const symbolAxis = (symbol: string): Axis | undefined => {
  if (/total|\+/i.test(symbol)) return "total";
  if (/past|cache/i.test(symbol)) return "past";
  if (/batch|^n$|^b$|^bs$/i.test(symbol)) return "batch";
  if (/height|^h$/i.test(symbol)) return "height";
  if (/width|^w$/i.test(symbol)) return "width";
  if (/seq|len|time|token|frame|^t$|^l$|^s$/i.test(symbol)) return "sequence";
  return undefined;
};

/** What an axis of unknown length is, from its symbol, else from the input it belongs to. */
const axisOf = ({ shape, role }: Input, axis: number): Axis => {
  const dim = shape[axis];
  const hinted = typeof dim === "string" ? symbolAxis(dim) : undefined;
  if (role.kind === "image" && hinted !== "batch") {
    const axes: readonly Axis[] = role.channelsLast
      ? ["batch", "height", "width", "channels"]
      : ["batch", "channels", "height", "width"];
    return axes[axis];
  }
  if (role.kind === "audio" && axis === shape.length - 1) return "samples";
  if (role.kind === "state" && hinted !== "past" && hinted !== "total" && hinted !== "sequence") return "state";
  if (hinted) return hinted;
  return axis === 0 && shape.length > 1 ? "batch" : "sequence";
};

const isKnown = (dim: Dim): dim is number => typeof dim === "number" && dim > 0;

/** Every length that has to be chosen: its key, and the candidates. */
const unknownLengths = (inputs: readonly Input[]): Map<string, { axis: Axis; candidates: readonly number[] }> => {
  const unknown = new Map<string, { axis: Axis; candidates: readonly number[] }>();
  for (const input of inputs)
    input.shape.forEach((dim, i) => {
      const key = keyOf(input, i);
      if (isKnown(dim) || unknown.has(key)) return;
      const axis = axisOf(input, i);
      const { role, shape } = input;
      const lineHeight = role.kind === "image" && axis === "width" && isKnown(shape[role.channelsLast ? 1 : 2]);
      unknown.set(key, { axis, candidates: lineHeight ? LINE_WIDTHS : CANDIDATES[axis] });
    });
  return unknown;
};

/** With the lengths that follow from others: past and new positions together. */
const withTotals = (inputs: readonly Input[], chosen: Map<string, number>): Lengths => {
  const unknown = unknownLengths(inputs);
  const first = (wanted: Axis) => [...unknown].find(([, { axis }]) => axis === wanted)?.[0];
  const [past, sequence] = [first("past"), first("sequence")];
  const total = (past === undefined ? 0 : chosen.get(past)!) + (sequence === undefined ? 1 : chosen.get(sequence)!);
  for (const [key, { axis }] of unknown) if (axis === "total") chosen.set(key, total);
  return chosen;
};

/** Choices of lengths in the order they are worth trying: the likely ones, then each kind changed alone, then all. */
export const lengthChoices = (inputs: readonly Input[]): Lengths[] => {
  const unknown = unknownLengths(inputs);
  const axes = [...new Set([...unknown.values()].map(({ axis }) => axis))];
  const choose = (pick: (axis: Axis) => number) =>
    withTotals(
      inputs,
      new Map(
        [...unknown].map(([key, { axis, candidates }]) => [key, candidates[pick(axis) % candidates.length] ?? 1]),
      ),
    );
  const most = Math.max(1, ...[...unknown.values()].map(({ candidates }) => candidates.length));
  const alone = axes.flatMap((axis) =>
    Array.from({ length: CANDIDATES[axis].length - 1 }, (_, i) => choose((other) => (other === axis ? i + 1 : 0))),
  );
  const together = Array.from({ length: most - 1 }, (_, i) => choose(() => i + 1));
  const images = axes.includes("height") && axes.includes("width");
  return [choose(() => 0), ...(images ? [...together, ...alone] : [...alone, ...together])];
};

/** Lengths of a further step of a model with a past: one new position after all that came before. */
export const nextStep = (inputs: readonly Input[], lengths: Lengths): Lengths | undefined => {
  const unknown = unknownLengths(inputs);
  const pasts = [...unknown].filter(([, { axis }]) => axis === "past").map(([key]) => key);
  const sequences = [...unknown].filter(([, { axis }]) => axis === "sequence").map(([key]) => key);
  if (pasts.length === 0 || sequences.length === 0) return undefined;
  const before = lengths.get(pasts[0])! + lengths.get(sequences[0])!;
  const next = new Map(lengths);
  for (const key of pasts) next.set(key, before);
  for (const key of sequences) next.set(key, 1);
  return withTotals(inputs, next);
};

/** Dims of an input under a choice of lengths. */
export const dimsOf = (input: Input, lengths: Lengths): number[] =>
  input.shape.map((dim, axis) => (isKnown(dim) ? dim : lengths.get(keyOf(input, axis))!));

const lengthOf = (inputs: readonly Input[], lengths: Lengths, wanted: Axis): number | undefined => {
  const found = [...unknownLengths(inputs)].find(([, { axis }]) => axis === wanted);
  return found && lengths.get(found[0]);
};

/** Positions before those of a sample; 0 where the model has no past. */
export const pastLength = (inputs: readonly Input[], lengths: Lengths): number =>
  lengthOf(inputs, lengths, "past") ?? 0;

/** Positions of a sample: the length of its sequences or sounds, else of the longest second axis. */
export const sequenceLength = (inputs: readonly Input[], lengths: Lengths): number =>
  lengthOf(inputs, lengths, "sequence") ??
  lengthOf(inputs, lengths, "samples") ??
  Math.max(1, ...inputs.map((input) => (input.shape.length >= 2 ? (dimsOf(input, lengths)[1] ?? 1) : 1)));

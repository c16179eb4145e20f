import { type Layer, type Model, type Node, readsOf, type Segment, segments } from "@espalier/core";

/** A stretch of a model that takes one value to another of its kind, as the blocks before and behind it do. */
export interface Block {
  /** Its place among the blocks, from 0. */
  readonly index: number;
  readonly input: string;
  readonly output: string;
  readonly layers: readonly Layer[];
}

/** The most layers of one block. */
const LONGEST = 64;

const signatureOf = ({ kind, node, weight: { dims } }: Layer): string => `${kind} ${node.opType} ${dims.join("x")}`;

interface Run {
  readonly from: number;
  readonly period: number;
  readonly count: number;
}

/** The longest stretch that repeats itself, in the shortest blocks. */
const longestRun = (signatures: readonly string[]): Run | undefined => {
  let best: Run | undefined;
  for (let period = 1; period <= Math.min(LONGEST, signatures.length / 2); period++)
    for (let from = 0; from + 2 * period <= signatures.length; from++) {
      let end = from;
      while (end + period < signatures.length && signatures[end] === signatures[end + period]) end++;
      const count = Math.floor((end - from + period) / period);
      if (count >= 2 && count * period > (best ? best.count * best.period : 0)) best = { from, period, count };
    }
  return best;
};

const isSame = (a: readonly Node[], b: readonly Node[]) =>
  a.length === b.length && a.every(({ opType }, i) => opType === b[i].opType);

/** The value that the first block takes in, where the next takes `input`: what stands before the block comes first. */
const firstInput = (first: readonly Node[], next: readonly Node[], input: string): string | undefined => {
  const places = next.flatMap((node, i) => (readsOf(node).has(input) ? [next.length - i] : []));
  const depth = Math.max(...places);
  if (places.length === 0 || depth > first.length || !isSame(next.slice(-depth), first.slice(-depth))) return undefined;
  const found = places.flatMap((place) => {
    const [own, other] = [first[first.length - place], next[next.length - place]];
    return other.inputs.flatMap((name, i) => (name === input ? [own.inputs[i]] : []));
  });
  return found.length > 0 && found.every((name) => name === found[0]) ? found[0] : undefined;
};

/** The value that the last block gives, where the one before gives its input: what stands behind the block comes last. */
const lastOutput = (
  last: readonly Node[],
  before: readonly Node[],
  input: string,
  output: string,
): string | undefined => {
  const readsFrom = (nodes: readonly Node[], name: string) => nodes.findIndex((node) => readsOf(node).has(name));
  const [at, from] = [readsFrom(last, output), readsFrom(before, input)];
  const place = before.findIndex(({ outputs }) => outputs.includes(output));
  const length = place - from + 1;
  if (at < 0 || from < 0 || length < 1 || !isSame(last.slice(at, at + length), before.slice(from, place + 1)))
    return undefined;
  return last[at + length - 1].outputs[before[place].outputs.indexOf(output)];
};

/** Values that cross between segments, by how many of the layers stand before. */
const cutsOf = (pieces: readonly Segment[], placeOf: ReadonlyMap<string, number>): ReadonlyMap<number, string> => {
  const cuts = new Map<number, string>();
  const before = new Set<string>();
  let layersBefore = 0;
  for (const { layers, inputs, outputs } of pieces) {
    const crossing = inputs.filter((name) => before.has(name));
    if (crossing.length === 1) cuts.set(layersBefore, crossing[0]);
    for (const name of outputs) before.add(name);
    layersBefore += layers.filter(({ name }) => placeOf.has(name)).length;
  }
  return cuts;
};

/**
 * The blocks that a model repeats, in order: the longest stretch of layers of the same kinds and sizes, between values
 * that alone cross from one block to the next. The output of one is the input of the next. Those whose ends are not
 * found are left out; empty where nothing repeats itself.
 */
export const findBlocks = (model: Model): readonly Block[] => {
  const pieces = segments(model);
  const all = pieces.flatMap(({ layers }) => layers).filter(({ kind }) => kind !== "embedding");
  const run = longestRun(all.map(signatureOf));
  if (!run) return [];
  const { from, period, count } = run;
  const placeOf = new Map(all.map(({ name }, place) => [name, place]));
  const cuts = cutsOf(pieces, placeOf);
  /** Nodes of the segments that hold the layers of a block, in the order of the model. */
  const nodesOf = (index: number): readonly Node[] => {
    const [start, end] = [from + index * period, from + (index + 1) * period];
    const isOwn = ({ name }: Layer) => (placeOf.get(name) ?? -1) >= start && placeOf.get(name)! < end;
    const own = new Set(pieces.filter(({ layers }) => layers.some(isOwn)).flatMap(({ nodes }) => nodes));
    return model.graph.nodes.filter((node) => own.has(node));
  };
  const values = Array.from({ length: count + 1 }, (_, i) => cuts.get(from + i * period));
  if (values[1] !== undefined) values[0] ??= firstInput(nodesOf(0), nodesOf(1), values[1]);
  const [input, output] = values.slice(count - 2);
  // a cut comes late: behind the last block, what follows it may stand before the cut
  values[count] =
    input !== undefined && output !== undefined
      ? lastOutput(nodesOf(count - 1), nodesOf(count - 2), input, output)
      : undefined;
  return values.slice(0, count).flatMap((value, index): Block[] => {
    const next = values[index + 1];
    const own = all.slice(from + index * period, from + (index + 1) * period);
    return value === undefined || next === undefined ? [] : [{ index, input: value, output: next, layers: own }];
  });
};

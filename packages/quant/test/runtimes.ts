import {
  type Attribute,
  type ContextOptions,
  type Feeds,
  type Model,
  makeNode,
  type Node,
  type Ort,
  openSession,
  type Pass,
  type ReportEntry,
  runPass,
  type Tensor,
} from "@espalier/core";
import * as native from "onnxruntime-node";
import * as wasm from "onnxruntime-web";

wasm.env.wasm.numThreads = 1;

export const node: Ort = native;
/** onnxruntime-web's wasm with one thread. */
export const web: Ort = wasm;

/** Every runtime that a test machine has. */
export const runtimes: readonly (readonly [name: string, ort: Ort])[] = [
  ["node", node],
  ["web", web],
];

/** Outputs of a model in a runtime, in order. */
export const outputsOf = async (
  ort: Ort,
  model: Model,
  feeds: Feeds,
  ortOptions: Readonly<Record<string, unknown>> = {},
): Promise<Tensor<"float32">[]> => {
  const session = await openSession(ort, model, { ortOptions });
  try {
    return Object.values(await session.run(feeds)) as Tensor<"float32">[];
  } finally {
    await session.release();
  }
};

/** The first output of a model in a runtime. */
export const outputOf = async (...run: Parameters<typeof outputsOf>): Promise<Tensor<"float32">> =>
  (await outputsOf(...run))[0]!;

/** First outputs of a model, by runtime. */
export const inBoth = (model: Model, feeds: Feeds): Promise<Tensor<"float32">[]> =>
  Promise.all(runtimes.map(([, ort]) => outputOf(ort, model, feeds)));

/** What a pass makes of a model, and what it reports. */
export const applied = async (
  model: Model,
  pass: Pass,
  options: ContextOptions = {},
): Promise<{ readonly model: Model; readonly entries: readonly ReportEntry[] }> => {
  const entries: ReportEntry[] = [];
  const made = await runPass(model, pass, { ...options, report: (entry) => entries.push(entry) });
  return { model: made, entries };
};

/** A node with one output, named after both. */
export const nodeOf = (
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
  domain = "",
): Node => makeNode(opType, inputs, [output], attributes, { name: `${opType}_${output}`, domain });

export const operatorsOf = ({ graph }: Model): string[] => graph.nodes.map(({ opType }) => opType);

/** ‖a - b‖ / ‖b‖ */
export const relativeL2 = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(difference / size);
};

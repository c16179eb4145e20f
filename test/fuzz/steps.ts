import {
  edit,
  fold,
  isEspalierError,
  layers,
  type Model,
  measureSize,
  readData,
  readOnnx,
  runPass,
  segments,
  upgradeOpset,
  walkGraphs,
  writeOnnx,
} from "@espalier/core";
import { dynamicInt8, float16, rtn, schemesFor } from "@espalier/quant";

/** Opset of blocked DequantizeLinear. */
const TARGET_OPSET = 21;

const readWeights = async (model: Model) => {
  for (const { graph } of walkGraphs(model)) for (const weight of graph.weights.values()) await readData(weight);
};

const again = async (model: Model) => {
  readOnnx(await writeOnnx(model));
};

const touch = (model: Model) =>
  edit(model, (draft) => {
    const [input] = draft.graph.inputs;
    if (input) draft.graph.rename(input.name, draft.graph.uniqueName("renamed"));
  });

const passes = [() => rtn({ bits: 8 }), () => rtn({ bits: 4 }), () => float16(), () => dynamicInt8()];

/** Everything that a model goes through; each step starts from the model as it was read. */
const steps: Readonly<Record<string, (model: Model, index: number) => unknown>> = {
  weights: readWeights,
  write: again,
  "write anew": (model) => again({ ...model }),
  edit: (model) => edit(model, () => undefined),
  "edit and write": (model) => again(touch(model)),
  size: measureSize,
  layers: (model) => {
    for (const layer of layers(model)) schemesFor(layer);
  },
  segments: (model) => segments(model),
  fold: async (model) => again(await fold(model)),
  upgrade: (model) => again(upgradeOpset(model, TARGET_OPSET)),
  pass: async (model, index) => again(await runPass(model, passes[index % passes.length]())),
};

/** What came of a step: "ok", or the code of an EspalierError. Anything else is thrown, with the step's name. */
export const attempt = async (name: string, body: () => unknown): Promise<string> => {
  try {
    await body();
    return "ok";
  } catch (error) {
    if (isEspalierError(error)) return error.code;
    throw new Error(`${name}: ${error instanceof Error ? error.stack : error}`, { cause: error });
  }
};

/** Runs every step on the model. Returns what came of each. */
export const runSteps = async (model: Model, index: number): Promise<string[]> => {
  const results: string[] = [];
  for (const [name, step] of Object.entries(steps))
    results.push(`${name}: ${await attempt(name, () => step(model, index))}`);
  return results;
};

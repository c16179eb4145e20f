import { EspalierError } from "../errors.ts";
import { walkGraphs } from "../graph.ts";
import { replaceWeights, type WeightPlace } from "../layers/replace-weights.ts";
import type { Graph, Model, Node } from "../model.ts";
import { type FloatType, floatTensor, floatValues, isFloatType } from "../numeric/floats.ts";
import { readData, sizeOf, type Tensor } from "../tensor.ts";
import { registerGradients } from "./gradients/register.ts";
import { isKnown } from "./operators.ts";
import { type Parameter, parametersOf, type TrainFilter, trainedKeys } from "./parameters.ts";
import { type Frame, type GraphRun, type ReadHook, runGraph, unsupportedText } from "./run-graph.ts";
import type { Tf, TfTensor, TfVariable } from "./tf.ts";
import { device, host, onDevice, toDevice, type Value } from "./value.ts";

export interface TrainableOptions {
  /** What is trained: names of weights, nodes or operators, with globs, or a function; by default what training is usual for. */
  readonly train?: TrainFilter | undefined;
  /** BatchNormalization in training: statistics of the "batch", the running ones updated; or the running ones "frozen". */
  readonly statistics?: "batch" | "frozen" | undefined;
}

export interface RunOptions {
  /** Batch statistics (unless frozen) and dropout. Default false. */
  readonly training?: boolean;
  /** Of what is random in the run. */
  readonly seed?: number;
  readonly hook?: ReadHook | undefined;
  /** Inner values beside the outputs. */
  readonly fetch?: readonly string[];
  readonly watch?: (node: Node, outputs: readonly Value[]) => void;
}

export interface RunResult {
  /** Outputs and what `fetch` named, by name, as ONNX has them. */
  readonly outputs: Readonly<Record<string, TfTensor>>;
  /** New running statistics by key, kept beyond the tidy: hand them to `setRunning`, or dispose of them. */
  readonly running: ReadonlyMap<string, TfTensor>;
}

/** A model as a function of TensorFlow.js that has gradients. */
export interface Trainable {
  readonly tf: Tf;
  readonly model: Model;
  /** What is trained, by key: the name of the weight, behind the path to it in subgraphs. */
  readonly weights: ReadonlyMap<string, TfVariable>;
  /** Running statistics, by key; not trained. */
  readonly running: ReadonlyMap<string, TfVariable>;
  /** Runs the model; call it inside `tf.tidy` or a gradient. @throws EspalierError `BAD_DATA`, `UNSUPPORTED`, `RUNTIME` */
  run(feeds: TrainFeeds, options?: RunOptions): RunResult;
  /** Takes new running statistics over and disposes of what held them. */
  setRunning(updates: ReadonlyMap<string, TfTensor>): void;
  /** The model with the weights and statistics as they are now, in their own element types. */
  write(): Promise<Model>;
  dispose(): void;
}

/** Constants of more elements live in TensorFlow.js; those of fewer may say how to compute. */
const HOST_ELEMENTS = 1024;

const checkOperators = (model: Model) => {
  const bad = [...walkGraphs(model)].flatMap(({ graph }) => graph.nodes.filter((node) => !isKnown(node)));
  if (bad.length > 0) throw new EspalierError("UNSUPPORTED", "core/train", `the model ${unsupportedText(bad)}`);
  if ([...walkGraphs(model)].some(({ graph }) => graph.sparseWeights.length > 0))
    throw new EspalierError("UNSUPPORTED", "core/train", "the model has sparse weights. Make them dense.");
};

const loaded = async (t: Tensor): Promise<Tensor> =>
  ({ type: t.type, dims: t.dims, data: await readData(t) }) as Tensor;

const isStatistic = ({ uses }: Parameter) =>
  uses.some(({ node, index }) => node.opType === "BatchNormalization" && index >= 3);

/** A tensor for each input, of ours or of TensorFlow.js (which may have a gradient). */
export type TrainFeeds = Readonly<Record<string, Tensor | TfTensor>>;

const checkFeeds = ({ graph }: Model, feeds: TrainFeeds) => {
  const wanted = graph.inputs.filter(({ name }) => !graph.weights.has(name)).map(({ name }) => name);
  const missing = wanted.filter((name) => feeds[name] === undefined);
  if (missing.length === 0) return;
  throw new EspalierError(
    "BAD_DATA",
    "core/train",
    `the data has no tensor for input ${missing.map((name) => `"${name}"`).join(", ")}; it has ${Object.keys(feeds).join(", ") || "none"}. Give one for each input.`,
  );
};

/**
 * A model that can be trained: a function of TensorFlow.js with a variable for each trained weight. A weight that is used
 * in several places is one variable.
 *
 * @param tf `@tensorflow/tfjs-core`, or a package that exports it, with a backend set
 * @throws EspalierError `UNSUPPORTED` naming the nodes without a gradient, `BAD_OPTION` where `train` chooses nothing
 */
export const trainable = async (
  tf: Tf,
  model: Model,
  { train, statistics = "batch" }: TrainableOptions = {},
): Promise<Trainable> => {
  checkOperators(model);
  registerGradients(tf);
  const parameters = parametersOf(model);
  const trained = trainedKeys(model, train);
  const weights = new Map<string, TfVariable>();
  const running = new Map<string, TfVariable>();
  const frozen: TfTensor[] = [];
  const constants = new Map<Graph, Map<string, Value>>();
  const keys = new Map<Graph, Map<string, string>>();
  for (const parameter of parameters.values()) {
    const { key, name, owner, tensor } = parameter;
    const own = constants.get(owner) ?? new Map<string, Value>();
    constants.set(owner, own);
    keys.set(owner, (keys.get(owner) ?? new Map<string, string>()).set(name, key));
    const variables = trained.has(key) ? weights : isStatistic(parameter) ? running : undefined;
    if (variables) {
      const values = await floatValues(tensor);
      const initial = tf.tensor(values, [...tensor.dims], "float32");
      const variable = tf.variable(initial, variables === weights);
      initial.dispose();
      variables.set(key, variable);
      own.set(name, { kind: "device", tensor: variable });
    } else if (sizeOf(tensor.dims) > HOST_ELEMENTS && tensor.type !== "string") {
      const kept = toDevice(tf, await loaded(tensor));
      frozen.push(kept);
      own.set(name, { kind: "device", tensor: kept });
    } else own.set(name, host(await loaded(tensor)));
  }
  const opset = model.opsets.get("") ?? model.opsets.get("ai.onnx") ?? 1;

  const run = (feeds: TrainFeeds, options: RunOptions = {}): RunResult => {
    checkFeeds(model, feeds);
    const { training = false, seed = 0, hook, fetch = [], watch } = options;
    const updates = new Map<string, TfTensor>();
    let drawn = 0;
    const graphRun: GraphRun = {
      scope: { tf, opset, training, frozen: statistics === "frozen", seed: () => seed + drawn++ },
      constants,
      hook,
      watch,
      update(graph, name, value) {
        const key = keys.get(graph)?.get(name);
        const before = key === undefined ? undefined : updates.get(key);
        if (key === undefined || !running.has(key)) return;
        before?.dispose();
        updates.set(key, tf.keep(tf.clone(value)));
      },
    };
    const given = (t: Tensor | TfTensor): Value => {
      if ("dataId" in t) return device(t);
      return isFloatType(t.type) ? device(toDevice(tf, t)) : host(t);
    };
    const values = new Map(
      model.graph.inputs.flatMap(({ name }) => (feeds[name] ? [[name, given(feeds[name])] as const] : [])),
    );
    const frame: Frame = { graph: model.graph, values };
    try {
      const outputs = runGraph(frame, graphRun);
      const named = model.graph.outputs.map(({ name }, i) => [name, onDevice(tf, outputs[i])] as const);
      const inner = fetch.map((name) => {
        const value = values.get(name);
        if (value) return [name, onDevice(tf, value)] as const;
        throw new EspalierError("NOT_FOUND", "core/train", `the model makes no value "${name}".`);
      });
      return { outputs: Object.fromEntries([...named, ...inner]), running: updates };
    } catch (error) {
      for (const value of updates.values()) value.dispose();
      throw error;
    }
  };

  return {
    tf,
    model,
    weights,
    running,
    run,
    setRunning(updates) {
      for (const [key, value] of updates) {
        running.get(key)?.assign(value as never);
        value.dispose();
      }
    },
    async write() {
      const written = new Map<WeightPlace, Tensor>();
      for (const [key, variable] of [...weights, ...running]) {
        const parameter = parameters.get(key);
        if (!parameter) continue;
        const values = Float32Array.from(await variable.data());
        written.set(parameter, floatTensor(parameter.tensor.type as FloatType, parameter.dims, values));
      }
      return replaceWeights(model, written);
    },
    dispose() {
      for (const variable of [...weights.values(), ...running.values()]) variable.dispose();
      for (const tensor of frozen) tensor.dispose();
    },
  };
};

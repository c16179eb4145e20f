import {
  type Attribute,
  type Context,
  type Feeds,
  type Graph,
  type Model,
  makeNode,
  type Node,
  type ReportEntry,
  type Tensor,
  tensor,
  writeOnnx,
} from "@espalier/core";

/** Repeatable Gaussian numbers for tests. */
export const gaussian = (length: number, seed: number): Float32Array => {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  return Float32Array.from({ length }, () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()));
};

export const floats = (dims: readonly number[], seed: number, size = 1): Tensor<"float32"> =>
  tensor(
    "float32",
    dims,
    gaussian(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ).map((value) => value * size),
  );

interface TinyOptions {
  readonly inputs: Readonly<Record<string, readonly [type: "float32" | "int64" | "float16", shape: readonly number[]]>>;
  readonly outputs: readonly string[];
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly nodes: readonly Node[];
  readonly opset?: number;
}

/** A model of a few nodes. */
export const tinyModel = ({ inputs, outputs, weights, nodes, opset = 13 }: TinyOptions): Model => {
  const graph: Graph = {
    name: "tiny",
    nodes,
    inputs: Object.entries(inputs).map(([name, [type, shape]]) => ({ name, type: { kind: "tensor", type, shape } })),
    outputs: outputs.map((name) => ({ name, type: { kind: "tensor", type: "float32" } })),
    values: [],
    weights: new Map(Object.entries(weights)),
    sparseWeights: [],
  };
  return { irVersion: 8, opsets: new Map([["", opset]]), graph, functions: [], metadata: new Map() };
};

export const node = (
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Node => makeNode(opType, inputs, [output], attributes, { name: `${opType}_${output}` });

/** A context that keeps what is reported. */
export const collecting = (signal?: AbortSignal): { ctx: Context; entries: ReportEntry[] } => {
  const entries: ReportEntry[] = [];
  const rng = { uniform: () => 0.5, normal: () => 0, below: () => 0, fork: () => rng };
  const ctx: Context = {
    seed: 0,
    rng,
    ...(signal ? { signal } : {}),
    progress: () => undefined,
    report: (entry) => entries.push(entry),
  };
  return { ctx, entries };
};

// biome-ignore lint/suspicious/noExplicitAny: the two runtimes differ in their types
type AnyOrt = any;

/** Every runtime that a test machine has: onnxruntime-node, and onnxruntime-web's wasm with one thread. */
export const runtimes = async (): Promise<readonly (readonly [string, AnyOrt])[]> => {
  const node = await import("onnxruntime-node");
  const web = await import("onnxruntime-web");
  web.env.wasm.numThreads = 1;
  return [
    ["node", node],
    ["web", web],
  ];
};

/** First output of a model in a runtime. */
export const runModel = async (
  ort: AnyOrt,
  model: Model,
  feeds: Feeds,
  options: object = {},
): Promise<{ readonly dims: readonly number[]; readonly data: Float32Array }> => {
  const bytes = await writeOnnx(model);
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3, ...options });
  const inputs = Object.entries(feeds).map(([name, t]) => [name, new ort.Tensor(t.type, t.data, t.dims)]);
  const results = await session.run(Object.fromEntries(inputs));
  const { dims, data } = results[session.outputNames[0]];
  const copy = { dims: [...dims], data: Float32Array.from(data as Float32Array) };
  await session.release();
  return copy;
};

/** ‖a - b‖ / ‖b‖ */
export const relativeL2 = (a: Float32Array, b: Float32Array): number => {
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(difference / size);
};

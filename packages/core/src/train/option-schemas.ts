interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly description?: string;
}

const whole = (description: string): Schema => ({ type: "integer", minimum: 1, description });
const above = (description: string): Schema => ({ type: "number", exclusiveMinimum: 0, description });
const names: Schema = { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] };

const schedule: Schema = {
  anyOf: [
    { enum: ["constant", "cosine"] },
    {
      type: "object",
      properties: {
        kind: { enum: ["constant", "cosine", "step"] },
        warmUp: { type: "number", minimum: 0 },
        end: { type: "number", minimum: 0 },
        every: { type: "integer", minimum: 1 },
        factor: { type: "number", exclusiveMinimum: 0 },
      },
      additionalProperties: false,
    },
  ],
  description: "How the learning rate goes; warmUp and end are shares.",
};

const optimizer: Schema = {
  type: "object",
  properties: {
    kind: { enum: ["sgd", "adam", "adamw", "rmsprop"] },
    learningRate: above("The learning rate, before the schedule."),
    schedule,
    weightDecay: { type: "number", minimum: 0 },
    momentum: { type: "number", minimum: 0 },
    nesterov: { type: "boolean" },
    beta1: { type: "number", minimum: 0 },
    beta2: { type: "number", minimum: 0 },
    epsilon: { type: "number", minimum: 0 },
    decay: { type: "number", minimum: 0 },
  },
  additionalProperties: false,
  description: "How weights follow gradients.",
};

/** JSON Schema of the options that all passes share that train. What only code can say (functions) is left out. */
export const trainSchemas = {
  train: { ...names, description: "Weights that are trained: names of weights, nodes or operators, globs." },
  statistics: { enum: ["batch", "frozen"], description: "Statistics of BatchNormalization in training." },
  epochs: whole("Times that the data is gone through."),
  batchSize: whole("Samples for each batch; by default as the data comes."),
  loss: { enum: ["crossEntropy", "ctc", "meanSquares"], description: "What is made small." },
  optimizer,
  clipNorm: above("Most that all gradients together may measure."),
  accumulate: whole("Batches for each update."),
  patience: whole("Epochs without a better one after which training ends."),
  keepBest: { type: "boolean", description: "End with the weights of the best epoch." },
  seed: { type: "integer", minimum: 0, description: "Of the order of batches, and of what is random." },
  backend: { type: "string", description: 'The backend of TensorFlow.js: "cpu", "wasm", "webgpu".' },
} as const satisfies Readonly<Record<string, Schema>>;

/** JSON Schema of the options of each pass, for recipes. */
export const optionSchemas = {
  fineTune: { type: "object", properties: trainSchemas, additionalProperties: false },
} as const;

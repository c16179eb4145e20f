import type { ActivationType } from "./export/fixed.ts";
import type { AciqOptions } from "./method/aciq.ts";
import type { AdaRoundOptions } from "./method/ada-round.ts";
import type { AwqOptions } from "./method/awq.ts";
import type { BiasCorrectOptions } from "./method/bias-correct.ts";
import type { CrossLayerEqualizeOptions } from "./method/cross-layer-equalize.ts";
import type { DynamicInt8Options } from "./method/dynamic-int8.ts";
import type { FixedPointOptions } from "./method/fixed-point.ts";
import type { Float16Options } from "./method/float16.ts";
import type { GptqOptions } from "./method/gptq.ts";
import type { HqqOptions } from "./method/hqq.ts";
import type { KeepSalientOptions } from "./method/keep-salient.ts";
import type { MixedPrecisionOptions } from "./method/mixed-precision.ts";
import type { QuaRotOptions } from "./method/qua-rot.ts";
import type { RtnOptions } from "./method/rtn.ts";
import type { SignRoundOptions } from "./method/sign-round.ts";
import type { SmoothQuantOptions } from "./method/smooth-quant.ts";
import type { StaticInt8Options } from "./method/static-int8.ts";
import type { TernaryOptions } from "./method/ternary.ts";
import type { ZeroQuantOptions } from "./method/zero-quant.ts";
import type { Calibrator } from "./range/calibrators.ts";
import { all, boolean, names, object, oneOf, type Schema, selection } from "./schema-kit.ts";
import type { Target, WeightForm } from "./support.ts";
import { trainedSchemas } from "./trained-schemas.ts";
import { valueSchemas } from "./value-schemas.ts";

const perChannel = boolean("One scale for each output, or one for the whole weight.");
const portable = boolean("7-bit weights, for processors whose 8-bit kernels saturate.");
const embeddings = boolean("Store embedding tables in 8 bits, one scale a row.");

const forms = all<WeightForm>({
  decode: true,
  float16: true,
  MatMulNBits: true,
  DequantizeLinear: true,
  GatherBlockQuantized: true,
  gatherRows: true,
  tiedTable: true,
});

const calibrators = all<Extract<Calibrator, string>>({
  minmax: true,
  "moving-average": true,
  mse: true,
  entropy: true,
  aciq: true,
});

const weightOptions: Readonly<Record<keyof RtnOptions & string, Schema>> = {
  ...selection,
  bits: oneOf([8, 6, 5, 4, 3, 2], "Bits of a weight."),
  blockSize: {
    anyOf: [{ enum: ["auto", "channel"] }, { type: "integer", minimum: 8 }],
    description: "Columns that share a scale.",
  },
  symmetric: boolean("No zero points."),
  zeroPoint: oneOf(["integer", "float"], "Zero points of asymmetric grids."),
  form: oneOf(["auto", ...forms], "How weights stand in the file."),
  embeddings: oneOf(["auto", "float", ...forms], "How embedding tables stand in the file."),
  target: oneOf(all<Target>({ node: true, web: true, webgpu: true, size: true }), "Where the result runs."),
  portable,
  sensitive: {
    anyOf: names,
    description: 'Layers that keep 8 bits where bits is lower: "auto", names, operators, globs.',
  },
  float16Below: { type: "integer", minimum: 0, description: "Layers of at most so many weights are float16." },
  rest: oneOf(["float32", "float16"], "How biases, norms and other constants are stored."),
  clip: oneOf(
    ["none", "mse", "imatrix"],
    "Scale of the extremes, or of the least squared error; imatrix weighs it by data.",
  ),
  accuracyLevel: oneOf([0, 1, 2, 3, 4], "Attribute of MatMulNBits; 4 is int8 activations."),
  rounding: oneOf(["auto", "nearest", "balanced"], "balanced keeps the sum of each row's errors near 0."),
};

const rtn = object<RtnOptions>(weightOptions);

/** Options of `rtn` but those of its grids. */
const gridless = <Key extends keyof typeof weightOptions>(...left: readonly Key[]) =>
  Object.fromEntries(Object.entries(weightOptions).filter(([key]) => !left.includes(key as Key))) as Readonly<
    Record<Exclude<keyof typeof weightOptions, Key>, Schema>
  >;

const fixedPoint = object<FixedPointOptions>({
  ...gridless("symmetric", "zeroPoint", "clip", "rounding", "portable"),
  perTensor: boolean("One power of two for the whole weight."),
});
const ternary = object<TernaryOptions>(gridless("bits", "symmetric", "zeroPoint", "clip", "rounding", "portable"));

const positive = (description: string): Schema => ({ type: "number", exclusiveMinimum: 0, description });
const steps: Schema = { type: "integer", minimum: 1, description: "Steps for each layer." };
const gramOptions = {
  ...weightOptions,
  sequential: boolean("Calibrate each part of the model on what the rounded parts before it give."),
  maxGramBytes: { type: "integer", minimum: 1, description: "Most bytes of a layer's Gram matrices." } as Schema,
  steps,
};

const adaRound = object<AdaRoundOptions>({
  ...gramOptions,
  learningRate: positive("Rate of Adam."),
  regularization: positive("Weight of what drives each weight to one of its two codes."),
});

const signRound = object<SignRoundOptions>({
  ...gramOptions,
  learningRate: positive("First step of offsets and clip ranges."),
});

const { clip: _clip, rounding: _rounding, ...rangeless } = weightOptions;

const aciq = object<AciqOptions>({
  ...rangeless,
  correct: boolean("Make the mean and the norm of each block those of its weights; takes float zero points."),
  allocate: boolean("bits is the mean of layers, which get more or fewer by their range."),
});

const quantize: Schema = {
  type: "object",
  properties: { pass: { type: "string" }, options: { type: "object" } },
  required: ["pass"],
  additionalProperties: false,
  makesPass: true,
  description: "The pass that quantizes.",
};

const biasCorrect = object<BiasCorrectOptions>({
  ...selection,
  quantize,
  from: oneOf(["calibration", "batch-norm"], "Means measured on data, or known from the BatchNormalization before."),
  samples: { type: "integer", minimum: 1, description: "Samples that means are taken over." },
});

const keepSalient = object<KeepSalientOptions>({
  ...selection,
  quantize,
  share: { type: "number", exclusiveMinimum: 0, maximum: 1, description: "Share of inputs that stay float." },
  threshold: positive("Inputs that ever exceed this size stay float."),
  activations: boolean("The quantizer rounds activations too, and does not see the salient ones."),
});

const crossLayerEqualize = object<CrossLayerEqualizeOptions>({
  ...selection,
  clips: oneOf(["keep", "vectors"], "A Clip ends a chain, or becomes Max and Min with a bound for each channel."),
});

const quaRot = object<QuaRotOptions>({
  ...selection,
  rotation: oneOf(["hadamard", "random"], "Randomized Hadamard matrices, or random orthogonal ones."),
  online: boolean("Rotate inputs that no stream gives by a product at every run."),
});

const { skip: _skip, only: _only, ...choiceOptions } = weightOptions;

const mixedPrecision = object<Omit<MixedPrecisionOptions, "onFront">>({
  ...selection,
  choices: {
    type: "array",
    items: { type: "object", properties: choiceOptions, additionalProperties: false },
    description: "Ways to store a layer: options of the method.",
  },
  budget: {
    type: "object",
    properties: {
      bytes: positive("Bytes of the whole file."),
      bits: positive("Mean bits of a weight, scales counted."),
      latency: positive("Time of a run against the model as it was."),
    },
    additionalProperties: false,
    description: "What must be kept: one of them.",
  },
  sensitivity: oneOf(
    ["output", "trace", "kl"],
    "A layer's error: of its output, by the trace, or of the model's outputs.",
  ),
  method: oneOf(["rtn", "adaRound", "signRound"], "How weights are rounded once the bits are chosen."),
});

const { rounding: _, ...compensated } = weightOptions;
const gptq = object<GptqOptions>({
  ...compensated,
  sequential: boolean("Calibrate each part of the model on what the quantized parts before it give."),
  damp: {
    type: "number",
    minimum: 0,
    maximum: 1,
    description: "Added to Gram matrices, as a share of their diagonal's mean.",
  },
  activationOrder: boolean("Columns of the largest inputs are rounded first."),
  staticGroups: boolean("Scales of all blocks are chosen before the first column is rounded."),
  sweepBlock: { type: "integer", minimum: 1, description: "Columns after which the rest of a row is updated." },
  refine: { type: "integer", minimum: 0, description: "Rounds of moving scales and codes afterwards." },
});

const awq = object<AwqOptions>({
  ...weightOptions,
  scaleOnly: boolean("Only scale; the pass that follows rounds, with the same bits and blocks."),
});

const { clip: __, ...fitted } = compensated;
const hqq = object<HqqOptions>({
  ...fitted,
  norm: { type: "number", exclusiveMinimum: 0, maximum: 1, description: "Norm of the errors that is made small." },
  beta: positive("First weight of the constraint."),
  growth: { type: "number", minimum: 1, description: "What beta is multiplied by on each step." },
  steps: { type: "integer", minimum: 1, description: "Most steps for each block." },
});

const smoothQuant = object<SmoothQuantOptions>({
  ...selection,
  alpha: { type: "number", minimum: 0, maximum: 1, description: "How much goes from activations to weights." },
  insert: boolean("Other readers of a value get it back by a product; otherwise it is left alone."),
});

const integerOptions = {
  ...selection,
  weightType: oneOf(["int8", "uint8"], "Type of the weights that meet integer activations."),
  perChannel,
  convolutions: oneOf(["float", "integer"], "Convolutions in float, or by ConvInteger, which is slower."),
  portable,
  embeddings,
};

const dynamicInt8 = object<DynamicInt8Options>({
  ...integerOptions,
  activations: oneOf(["tensor", "token"], "A range for each input, or for each of its rows."),
  inputParts: {
    anyOf: [{ enum: ["auto"] }, { type: "integer", minimum: 1 }],
    description: "Parts of a linear layer's input that have a range each.",
  },
});

const zeroQuant = object<ZeroQuantOptions>({
  ...integerOptions,
  groups: { type: "integer", minimum: 1, description: "Groups that the inputs of a layer are cut in." },
});

const percentile: Schema = {
  type: "object",
  properties: { percentile: { type: "number", exclusiveMinimum: 0, maximum: 100 } },
  required: ["percentile"],
  additionalProperties: false,
};

const staticInt8 = object<StaticInt8Options>({
  ...selection,
  form: oneOf(["QDQ", "QOperator"], "Float operators between conversions, or integer operators."),
  calibrator: {
    anyOf: [{ enum: calibrators }, percentile],
    description: "How the range of an activation is chosen from the calibration data.",
  },
  perChannel,
  activationType: oneOf(all<ActivationType>({ uint8: true, int8: true }), "int8 is slower than float on processors."),
  float: {
    anyOf: [
      ...names,
      {
        type: "object",
        properties: { within: { type: "number", exclusiveMinimum: 0 } },
        required: ["within"],
        additionalProperties: false,
      },
    ],
    description:
      'Layers that are computed in float: "auto", "none", names, operators, globs; or the most sensitive, so that outputs stay within a relative L2 distance.',
  },
  portable,
  embeddings,
});

const float16 = object<Float16Options>({
  mode: oneOf(["storage", "compute"], "Constants stored as float16, or values computed in it too."),
  keepIo: boolean("compute: inputs and outputs keep their types."),
  blockList: {
    type: "array",
    items: { type: "string" },
    description: "compute: operators, or names of nodes, that stay float32.",
  },
});

/** JSON Schema of the options of each pass, for recipes. What only code can say (functions) is left out. */
export const optionSchemas = {
  rtn,
  gptq,
  awq,
  smoothQuant,
  hqq,
  adaRound,
  signRound,
  mixedPrecision,
  aciq,
  biasCorrect,
  keepSalient,
  crossLayerEqualize,
  quaRot,
  dynamicInt8,
  zeroQuant,
  staticInt8,
  float16,
  fixedPoint,
  ternary,
  ...valueSchemas,
  ...trainedSchemas,
} as const;

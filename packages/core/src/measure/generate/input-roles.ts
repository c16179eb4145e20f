import { EspalierError } from "../../errors.ts";
import { constantOf, consumers, type Scope, walkGraphs } from "../../graph.ts";
import type { Dim, Model, ValueInfo } from "../../model.ts";
import { isFloatType } from "../../numeric/floats.ts";
import { type DataType, dataTypes } from "../../tensor.ts";
import { numbersOf } from "../numbers.ts";
import { idRows } from "./id-rows.ts";

/** What an input is taken for, by its name, type, dims and use. */
export type Role =
  /** Recurrent state or key-value cache: what `output` of the last sample gave; zeros, or of no length, at first. */
  | { readonly kind: "state"; readonly output: string | undefined }
  /** Rows of a table. */
  | { readonly kind: "ids"; readonly rows: number }
  | { readonly kind: "mask" | "types" | "positions" | "lengths" | "timestep" | "flag" | "audio" | "gaussian" }
  /** One of a few values, of which one lets the model run. */
  | { readonly kind: "choice"; readonly values: readonly number[] }
  /** `peak`: 1 where pixels are of about [-1, 1], 255 where they are bytes. */
  | { readonly kind: "image"; readonly channelsLast: boolean; readonly peak: 1 | 255 };

export interface Input {
  readonly name: string;
  readonly type: DataType;
  readonly shape: readonly Dim[];
  readonly role: Role;
}

const USUAL_RATES = [16000, 8000, 44100, 48000, 22050, 24000];
const SMALL = [0, 1, 2];
/** Beyond this a constant that pixels meet says that they are bytes. */
const BYTE_LIKE = 10;
const IMAGE_CHANNELS: ReadonlySet<Dim> = new Set([1, 3, 4]);
const IMAGE_RANK = 4;
const COMPARISONS: ReadonlySet<string> = new Set(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]);

const STATE = /past|cache|state|hidden|cell|memory|^[hc][._-]?(in|0)?$/i;

/** A state's name without what says that it comes from the last step or goes to the next. */
const stem = (name: string) =>
  name
    .toLowerCase()
    .replace(/(past|present)(_key_values?)?|updated|next|prev(ious)?|new/g, "")
    .replace(/[._/:-]+(in|out|n|0|1)$/, "")
    .replace(/[._/:-]+/g, ".")
    .replace(/^\.|\.$/g, "");

const shapeOf = ({ type }: ValueInfo): readonly Dim[] | undefined => (type?.kind === "tensor" ? type.shape : undefined);

/** The output that an input is fed from at the next step: `hn` for `h`, `present.0.key` for `past_key_values.0.key`. */
const stateOutput = (input: ValueInfo, outputs: readonly ValueInfo[]): string | undefined => {
  const mine = shapeOf(input);
  const fits = (output: ValueInfo) => {
    const theirs = shapeOf(output);
    if (!mine || !theirs) return true;
    const alike = (dim: Dim, i: number) =>
      typeof dim !== "number" || typeof theirs[i] !== "number" || dim === theirs[i];
    return mine.length === theirs.length && mine.every(alike);
  };
  if (!STATE.test(input.name)) return undefined;
  const next = (name: string) =>
    name.toLowerCase() === `${input.name.toLowerCase()}n` || stem(name) === stem(input.name);
  return outputs.find((output) => next(output.name) && fits(output))?.name;
};

/** Constants that a value is compared with, in any graph. */
const comparedWith = (scopes: readonly Scope[], name: string): number[] => {
  const found = new Set<number>();
  for (const scope of scopes)
    for (const { opType, inputs } of scope.graph.nodes) {
      if (!COMPARISONS.has(opType) || !inputs.includes(name)) continue;
      const other = constantOf(scope, inputs[0] === name ? inputs[1] : inputs[0]);
      if (other && !other.tensor.dims.includes(0)) found.add(numbersOf(other.tensor)[0]);
    }
  return [...found];
};

/** 255 where the first operators take a byte's mean away or divide by a byte's range. */
const peakOf = (scope: Scope, name: string, type: DataType): 1 | 255 => {
  if (!isFloatType(type)) return 255;
  const uses = consumers(scope.graph);
  let at = name;
  for (let steps = 0; steps < IMAGE_RANK; steps++) {
    const node = uses.get(at)?.find(({ index }) => index === 0)?.node;
    if (!node || !/^(Sub|Div|Mul|Cast|Transpose|Identity)$/.test(node.opType)) return 1;
    const constant = node.inputs[1] === undefined ? undefined : constantOf(scope, node.inputs[1]);
    if (constant) {
      const size = Math.abs(numbersOf(constant.tensor)[0] ?? 0);
      if (node.opType === "Mul" ? size < 1 / BYTE_LIKE : size > BYTE_LIKE) return 255;
    }
    at = node.outputs[0];
  }
  return 1;
};

const isScalar = (shape: readonly Dim[]) => shape.length === 0 || (shape.length === 1 && shape[0] === 1);

/** Channels first or last of a [N, C, H, W] or [N, H, W, C] input; undefined where it is no image. */
const imageLayout = (shape: readonly Dim[]): "first" | "last" | undefined => {
  if (shape.length !== IMAGE_RANK) return undefined;
  if (IMAGE_CHANNELS.has(shape[1])) return "first";
  return IMAGE_CHANNELS.has(shape[3]) ? "last" : undefined;
};

const isRate = (name: string) => /^sr$|sampl\w*_?rate|^fs$/i.test(name);

const roleOf = (
  model: Model,
  scopes: readonly Scope[],
  rows: ReadonlyMap<string, number>,
  info: ValueInfo,
  type: DataType,
  shape: readonly Dim[],
): Role => {
  const { name } = info;
  const layout = imageLayout(shape);
  const image = (): Role => ({ kind: "image", channelsLast: layout === "last", peak: peakOf(scopes[0], name, type) });
  if (/mask/i.test(name)) return { kind: "mask" };
  if (isFloatType(type)) {
    const output = stateOutput(info, model.graph.outputs);
    if (output !== undefined || /past|cache/i.test(name)) return { kind: "state", output };
    if (layout) return image();
    if (/timestep/i.test(name)) return { kind: "timestep" };
    const hasRate = model.graph.inputs.some((other) => isRate(other.name));
    if (/audio|wav|pcm|speech|signal|input_values/i.test(name) || (hasRate && shape.length <= 3))
      return { kind: "audio" };
    return { kind: "gaussian" };
  }
  if (isRate(name)) {
    const seen = comparedWith(scopes, name);
    return { kind: "choice", values: seen.length > 0 ? seen : USUAL_RATES };
  }
  if (type === "bool") return { kind: isScalar(shape) ? "flag" : "mask" };
  if (/token_?type|segment/i.test(name)) return { kind: "types" };
  if (/position/i.test(name)) return { kind: "positions" };
  if (layout && type === "uint8") return image();
  const bound = rows.get(name);
  if (bound !== undefined) return { kind: "ids", rows: bound };
  if (/timestep/i.test(name)) return { kind: "timestep" };
  if (/len(gth)?s?$/i.test(name)) return { kind: "lengths" };
  const compared = isScalar(shape) ? comparedWith(scopes, name) : [];
  return { kind: "choice", values: [...new Set([...compared, ...SMALL])] };
};

const unknown = (name: string, what: string) =>
  new EspalierError(
    "BAD_DATA",
    "core/measure",
    `input "${name}" is ${what}, for which no values can be made up. Give samples of your own: --data, or data.calibration.`,
  );

/** Every input that has to be fed, with what it is taken for. @throws EspalierError `BAD_DATA` for one that cannot be guessed */
export const inputsOf = (model: Model): Input[] => {
  const scopes = [...walkGraphs(model)];
  const rows = idRows(model);
  return model.graph.inputs
    .filter(({ name }) => !model.graph.weights.has(name))
    .map((info) => {
      const { name, type: declared } = info;
      if (declared?.kind !== "tensor" || declared.type === undefined)
        throw unknown(name, declared ? `a ${declared.kind}` : "of no known type");
      const { type, shape } = declared;
      if (type === "string" || dataTypes[type].bits < 8 || /complex|float8/.test(type))
        throw unknown(name, `of type ${type}`);
      if (!shape) throw unknown(name, "of unknown rank");
      return { name, type, shape, role: roleOf(model, scopes, rows, info, type, shape) };
    });
};

import { EspalierError } from "../../errors.ts";
import { type Scope, walkGraphs } from "../../graph.ts";
import type { Dim, Model, ValueInfo } from "../../model.ts";
import { isFloatType } from "../../numeric/floats.ts";
import { type DataType, dataTypes } from "../../tensor.ts";
import { comparedWith, pixelPeak } from "./constants-met.ts";
import { idRows } from "./id-rows.ts";
import { stateOutput } from "./state-output.ts";

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
const IMAGE_CHANNELS: ReadonlySet<Dim> = new Set([1, 3, 4]);
const IMAGE_RANK = 4;
/** Most axes of a sound: batch, channels, samples. */
const AUDIO_RANK = 3;
/** A fixed last axis that is shorter holds no sound. */
const LEAST_SAMPLES = 128;
const BYTE_BITS = 8;

const isRate = (name: string) => /^sr$|sampl\w*_?rate|^fs$/i.test(name);
const isScalar = (shape: readonly Dim[]) => shape.length === 0 || (shape.length === 1 && shape[0] === 1);

/** Channels first or last of a [N, C, H, W] or [N, H, W, C] input; undefined where it is no image. */
const imageLayout = (name: string, shape: readonly Dim[]): "first" | "last" | undefined => {
  if (shape.length !== IMAGE_RANK) return undefined;
  const [, second, , fourth] = shape;
  const named = (dim: Dim) => typeof dim === "string" && /channel/i.test(dim);
  if (IMAGE_CHANNELS.has(second) || named(second)) return "first";
  if (IMAGE_CHANNELS.has(fourth) || named(fourth)) return "last";
  return /pixel|image|img/i.test(name) && typeof second !== "number" ? "first" : undefined;
};

const unknown = (name: string, what: string) =>
  new EspalierError(
    "BAD_DATA",
    "core/measure",
    `input "${name}" is ${what}, for which no values can be made up. Give samples of your own: --data, or data.calibration.`,
  );

/** The element type and shape of an input. @throws EspalierError `BAD_DATA` where it is none that can be drawn */
const typeAndShape = ({ name, type: declared }: ValueInfo): [DataType, readonly Dim[]] => {
  if (declared?.kind !== "tensor" || declared.type === undefined)
    throw unknown(name, declared ? `a ${declared.kind}` : "of no known type");
  const { type, shape } = declared;
  const odd = type === "string" || dataTypes[type].bits < BYTE_BITS || /complex|float8/.test(type);
  if (odd) throw unknown(name, `of type ${type}`);
  if (!shape) throw unknown(name, "of unknown rank");
  return [type, shape];
};

/** What the inputs of a model are taken for. @throws EspalierError `BAD_DATA` for one that cannot be guessed */
export const inputsOf = async (model: Model): Promise<Input[]> => {
  const scopes: readonly Scope[] = [...walkGraphs(model)];
  const rows = idRows(scopes);
  const infos = model.graph.inputs.filter(({ name }) => !model.graph.weights.has(name));
  const hasRate = infos.some(({ name }) => isRate(name));

  const floatRole = async (info: ValueInfo, type: DataType, shape: readonly Dim[]): Promise<Role> => {
    const { name } = info;
    const state = stateOutput(info, model.graph.outputs);
    if (state) return { kind: "state", output: state.output };
    const layout = imageLayout(name, shape);
    if (layout) return { kind: "image", channelsLast: layout === "last", peak: await pixelPeak(scopes[0], name, type) };
    if (/timestep/i.test(name)) return { kind: "timestep" };
    const last = shape.at(-1);
    const long = typeof last !== "number" || last >= LEAST_SAMPLES;
    const sounds = /audio|wav|pcm|speech|signal|input_values/i.test(name) || hasRate;
    return { kind: sounds && long && shape.length <= AUDIO_RANK ? "audio" : "gaussian" };
  };

  const integerRole = async (name: string, type: DataType, shape: readonly Dim[]): Promise<Role> => {
    if (isRate(name)) {
      const seen = await comparedWith(scopes, name);
      return { kind: "choice", values: seen.length > 0 ? seen : USUAL_RATES };
    }
    if (type === "bool") return { kind: isScalar(shape) ? "flag" : "mask" };
    if (/token_?type|segment/i.test(name)) return { kind: "types" };
    if (/position/i.test(name)) return { kind: "positions" };
    const layout = imageLayout(name, shape);
    if (layout && type === "uint8") return { kind: "image", channelsLast: layout === "last", peak: 255 };
    const bound = rows.get(name);
    if (bound !== undefined) return { kind: "ids", rows: bound };
    if (/timestep/i.test(name)) return { kind: "timestep" };
    if (/len(gth)?s?$/i.test(name)) return { kind: "lengths" };
    const compared = isScalar(shape) ? await comparedWith(scopes, name) : [];
    return { kind: "choice", values: [...new Set([...compared, ...SMALL])] };
  };

  const inputs: Input[] = [];
  for (const info of infos) {
    const { name } = info;
    const [type, shape] = typeAndShape(info);
    const role: Role = /mask/i.test(name)
      ? { kind: "mask" }
      : isFloatType(type)
        ? await floatRole(info, type, shape)
        : await integerRole(name, type, shape);
    inputs.push({ name, type, shape, role });
  }
  return inputs;
};

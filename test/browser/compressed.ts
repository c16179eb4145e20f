// What the tests run in Node and in the page alike.
import {
  constantValue,
  createRng,
  type Feeds,
  fold,
  type Model,
  type Ort,
  openSession,
  readData,
  runPass,
  sizeOf,
  tensor,
  writeOnnx,
} from "@espalier/core";
import { dynamicInt8, float16, rtn, staticInt8 } from "@espalier/quant";

const WIDTHS = { classifier: 192, recogniser: 96 } as const;
const CHANNELS = 3;
const HEIGHT = 48;
const SAMPLES = 2;

export type ModelName = keyof typeof WIDTHS;

/** Passes that need no data, by name. */
const passes = {
  "rtn 8": (model: Model) => runPass(model, rtn({ bits: 8 })),
  "rtn 4": (model: Model) => runPass(model, rtn({ bits: 4 })),
  float16: (model: Model) => runPass(model, float16()),
  dynamicInt8: (model: Model) => runPass(model, dynamicInt8()),
  fold: (model: Model) => fold(model),
} as const;

export type PassName = keyof typeof passes;
export const passNames = Object.keys(passes) as PassName[];

/** The file that a pass without data makes of a model. */
export const compressed = async (model: Model, pass: PassName): Promise<Uint8Array<ArrayBuffer>> =>
  writeOnnx(await passes[pass](model));

/** Images of noise, the same wherever they are made: integers of the generator, so that no function rounds them. */
const images = (name: ModelName): readonly Feeds[] =>
  Array.from({ length: SAMPLES }, (_, seed) => {
    const rng = createRng(seed);
    const dims = [1, CHANNELS, HEIGHT, WIDTHS[name]];
    const size = CHANNELS * HEIGHT * WIDTHS[name];
    return {
      x: tensor(
        "float32",
        dims,
        Float32Array.from({ length: size }, () => rng.below(256) / 128 - 1),
      ),
    };
  });

/** The file of static int8, its ranges learnt by running the model. */
export const calibrated = async (model: Model, name: ModelName, ort: Ort): Promise<Uint8Array<ArrayBuffer>> => {
  const calibration = async function* () {
    yield* images(name);
  };
  return writeOnnx(await runPass(model, staticInt8(), { ort, calibration }));
};

/** The outputs of a model for one image. */
export const outputsOf = async (model: Model, name: ModelName, ort: Ort): Promise<number[]> => {
  const session = await openSession(ort, model, { threads: 1 });
  try {
    const outputs = await session.run(images(name)[0]);
    return Object.values(outputs).flatMap(({ data }) => Array.from(data as Float32Array));
  } finally {
    await session.release();
  }
};

/** The bytes of the largest constant of a model, read by itself. */
export const largestConstant = async (model: Model): Promise<Uint8Array<ArrayBuffer>> => {
  const tensors = [...model.graph.weights.values(), ...model.graph.nodes.flatMap((item) => constantValue(item) ?? [])];
  const largest = tensors.reduce((a, b) => (sizeOf(b.dims) > sizeOf(a.dims) ? b : a));
  const data = (await readData(largest)) as Float32Array<ArrayBuffer>;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
};

/** SHA-256 as hexadecimal digits. */
export const sha256 = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
  Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

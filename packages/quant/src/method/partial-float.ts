import { type Calibration, type Context, checkAborted, compareModels, type Model } from "@espalier/core";

/** Calibration samples that every candidate is measured on. */
const SAMPLES = 8;

const firstOf = (calibration: Calibration): Calibration =>
  async function* () {
    let left = SAMPLES;
    for await (const feeds of calibration()) {
      yield feeds;
      if (--left === 0) return;
    }
  };

export interface PartialFloat {
  /** Names of layers that can run on integers. */
  readonly layers: readonly string[];
  /** Largest relative L2 distance of an output from float's. */
  readonly within: number;
  /** The model with these layers in float and the others on integers. */
  build(float: ReadonlySet<string>): Promise<Model>;
}

/**
 * Partial quantization: the layers to leave in float so that outputs on calibration data stay within a distance of the
 * float model's. Each layer is first quantized by itself; then the most sensitive ones are left in float, as few as
 * will do, and those go back to integers without which it will do too. All of them where even that is not enough.
 * Source: arXiv:2004.09602, section 6, partial quantization.
 */
export const partialFloat = async (
  model: Model,
  { layers, within, build }: PartialFloat,
  { calibration, ort, threads, signal, progress }: Context,
  pass: string,
): Promise<ReadonlySet<string>> => {
  if (!calibration || !ort) return new Set();
  const data = firstOf(calibration);
  const distance = async (float: ReadonlySet<string>): Promise<number> => {
    checkAborted(pass, signal);
    const options = { ort, data, inner: false, ...(threads && { threads }) };
    const { outputs } = await compareModels(model, await build(float), options);
    return Math.max(...Object.values(outputs).map(({ relativeL2 }) => relativeL2));
  };
  const task = `${pass}: sensitivity`;
  const alone = new Map<string, number>();
  progress({ kind: "start", task, total: layers.length });
  for (const layer of layers) {
    alone.set(layer, await distance(new Set(layers.filter((other) => other !== layer))));
    progress({ kind: "step", task, done: alone.size, total: layers.length, note: layer });
  }
  progress({ kind: "end", task });
  const order = [...layers].sort((a, b) => alone.get(b)! - alone.get(a)!);
  let [few, many] = [0, order.length];
  while (few < many) {
    const count = Math.floor((few + many) / 2);
    if ((await distance(new Set(order.slice(0, count)))) <= within) many = count;
    else few = count + 1;
  }
  const kept = new Set(order.slice(0, many));
  if (many === order.length && (await distance(kept)) > within) return kept;
  for (const layer of order.slice(0, many).reverse()) {
    const fewer = new Set([...kept].filter((other) => other !== layer));
    if ((await distance(fewer)) <= within) kept.delete(layer);
  }
  return kept;
};

import { definePass, type Pass } from "@espalier/core";
import { type ReadHook, straightThrough, type TfTensor } from "@espalier/core/train";
import { type TrainQuantOptions, trainQuantized } from "./train-quantized.ts";

/** A few codes and one factor for the weights of a layer. */
export interface Coded {
  readonly codes: Int8Array;
  readonly step: number;
}

export interface ThroughOptions extends TrainQuantOptions {
  readonly name: string;
  readonly form: string;
  readonly encode: (w: Float32Array) => Coded;
  /** Weights stay from -1 to 1. */
  readonly clip?: boolean;
}

/**
 * Trains weights whose codes are what nodes see: forward the codes, back the gradient of the identity on the weights
 * themselves. Weights are coded anew after each update.
 */
export const throughCodes = ({ name: where, form, encode, clip = false, ...options }: ThroughOptions): Pass =>
  definePass({
    name: where,
    stage: "train",
    traits: { needs: ["training"], conflictsWith: ["quant/"] },
    apply: (model, ctx) =>
      trainQuantized(where, model, ctx, options, async ({ net, layers, fitted }) => {
        const { tf } = net;
        const seen = new Map<string, TfTensor>();
        const read = async (name: string) => (await net.weights.get(name)!.data()) as Float32Array;
        const refresh = async () => {
          for (const { weight } of layers) {
            const { codes, step } = encode(await read(weight.name));
            seen.get(weight.name)?.dispose();
            const values = Float32Array.from(codes, (code) => code * step);
            seen.set(weight.name, tf.tensor(values, [...weight.tensor.dims]) as TfTensor);
          }
        };
        const hook: ReadHook = (x, { name }) => {
          const value = seen.get(name);
          return value ? straightThrough(tf, x, () => tf.clone(value)) : x;
        };
        try {
          await refresh();
          const result = await fitted({
            method: {
              hook,
              async after() {
                if (clip)
                  for (const { weight } of layers) {
                    const variable = net.weights.get(weight.name)!;
                    const next = tf.clipByValue(variable, -1, 1);
                    variable.assign(next as never);
                    next.dispose();
                  }
                await refresh();
              },
            },
          });
          const learned = [];
          for (const layer of layers) learned.push({ layer, ...encode(await read(layer.weight.name)) });
          return { result, learned, form };
        } finally {
          for (const tensor of seen.values()) tensor.dispose();
        }
      }),
  });

import { definePass, EspalierError, type Layer, type Pass } from "@espalier/core";
import type { ReadHook, TfTensor, TfVariable } from "@espalier/core/train";
import { nearest } from "../grid/nearest.ts";
import { firstStep, type Levels, levelsOf, onLearnedStep } from "../training/learned-step.ts";
import { type TrainQuantOptions, trainQuantized } from "../training/train-quantized.ts";

export interface LsqOptions extends TrainQuantOptions {
  /** Of weights and of what they meet, 2 to 8. Default 4. */
  readonly bits?: number;
  /** Of the first and the last layer. Default 8. */
  readonly edgeBits?: number;
  /** What the first layer meets goes onto a grid too. Default false: the input of the model stays as it is. */
  readonly quantizeInput?: boolean;
}

/** A value with a learned step. */
interface Site {
  readonly step: TfVariable;
  readonly levels: Levels;
}

const NAME = "quant/lsq";
const LEAST_STEP = 1e-8;
const MAX_BITS = 8;

const checkBits = (name: string, bits: number) => {
  if (Number.isInteger(bits) && bits >= 2 && bits <= MAX_BITS) return;
  throw new EspalierError("BAD_OPTION", NAME, `${name} is ${bits}. Give a whole number from 2 to ${MAX_BITS}.`);
};

/**
 * Learns the step of each layer's weights and inputs with the weights themselves, one step a tensor, from a trained model.
 * The file has int8 codes and QuantizeLinear, which onnxruntime runs.
 *
 * Source: Esser et al. 2020, arXiv:1902.08153.
 *
 * @throws EspalierError `BAD_OPTION` for widths out of range, and what training throws
 */
export const lsq = ({ bits = 4, edgeBits = 8, quantizeInput = false, ...options }: LsqOptions = {}): Pass => {
  checkBits("bits", bits);
  checkBits("edgeBits", edgeBits);
  return definePass({
    name: NAME,
    stage: "train",
    traits: { needs: ["training"], conflictsWith: ["quant/"] },
    apply: (model, ctx) =>
      trainQuantized(NAME, model, ctx, options, async ({ net, layers, fitted }) => {
        const { tf } = net;
        const widthOf = (layer: Layer) => (layer === layers[0] || layer === layers.at(-1) ? edgeBits : bits);
        const variable = (value: number) => {
          const start = tf.scalar(value);
          const made = tf.variable(start) as unknown as TfVariable;
          start.dispose();
          return made;
        };
        const weights = new Map<string, Site>();
        const byNode = new Map(layers.map((layer) => [layer.node, layer]));
        for (const layer of layers) {
          const values = (await net.weights.get(layer.weight.name)?.data()) as Float32Array;
          const levels = levelsOf(widthOf(layer), true);
          const mean = values.reduce((sum, w) => sum + Math.abs(w), 0) / values.length;
          weights.set(layer.weight.name, { step: variable(firstStep(mean, levels)), levels });
        }
        const inputs = new Map<Layer, Site>();
        const isInput = (layer: Layer, name: string) => name === layer.input && (quantizeInput || layer !== layers[0]);
        const hook: ReadHook = (x, { node, name }) => {
          const weight = weights.get(name);
          if (weight)
            return onLearnedStep(tf, x, weight.step, weight.levels, 1 / Math.sqrt(x.size * weight.levels.high));
          const layer = byNode.get(node);
          const site = layer && isInput(layer, name) ? inputs.get(layer) : undefined;
          if (!site) return x;
          return onLearnedStep(tf, x, site.step, site.levels, 1 / Math.sqrt((x.size / x.shape[0]!) * site.levels.high));
        };
        /** Steps of inputs, from the first batch that the float model sees. */
        const start = async () => {
          const seen = new Map<Layer, TfTensor>();
          for await (const { feeds } of ctx.training!({ epoch: 0, rng: ctx.rng.fork("first") })) {
            tf.tidy(() => {
              net.run(feeds, {
                hook: (x, { node, name }) => {
                  const layer = byNode.get(node);
                  if (layer && isInput(layer, name))
                    seen.set(layer, tf.keep(tf.stack([tf.mean(tf.abs(x)), tf.min(x)])));
                  return x;
                },
              });
            });
            break;
          }
          for (const [layer, tensor] of seen) {
            const [mean, least] = (await tensor.data()) as Float32Array;
            tensor.dispose();
            const levels = levelsOf(widthOf(layer), least! < 0);
            inputs.set(layer, { step: variable(firstStep(mean!, levels)), levels });
          }
        };
        try {
          await start();
          const variables = new Map<string, TfVariable>();
          for (const [name, { step }] of weights) variables.set(`step/${name}`, step);
          for (const [layer, { step }] of inputs) variables.set(`step of the input/${layer.name}`, step);
          const result = await fitted({
            method: {
              variables,
              hook,
              after() {
                for (const step of variables.values()) {
                  const next = tf.maximum(step, LEAST_STEP);
                  step.assign(next as never);
                  next.dispose();
                }
              },
            },
          });
          const learned = [];
          for (const layer of layers) {
            const { step, levels } = weights.get(layer.weight.name)!;
            const s = (await step.data())[0]!;
            const values = (await net.weights.get(layer.weight.name)!.data()) as Float32Array;
            const codes = Int8Array.from(values, (w) =>
              Math.max(levels.low, Math.min(levels.high, nearest(Math.fround(w / s)))),
            );
            const site = inputs.get(layer);
            const input = site && { step: (await site.step.data())[0]!, levels: site.levels };
            learned.push({ layer, codes, step: s, ...(input && { input }) });
          }
          return { result, learned, form: `QDQ, ${bits} bits, learned steps` };
        } finally {
          for (const { step } of [...weights.values(), ...inputs.values()]) step.dispose();
        }
      }),
  });
};

import { labelOf } from "../graph.ts";
import type { ReadHook } from "./run-graph.ts";
import type { TfTensor } from "./tf.ts";
import type { Trainable, TrainFeeds } from "./trainable.ts";

const allFinite = async (t: TfTensor): Promise<boolean> => {
  for (const value of await t.data()) if (!Number.isFinite(value)) return false;
  return true;
};

/** The weight or node where values stop being finite, in the order of the model. */
export const whereNotFinite = async (
  net: Trainable,
  feeds: TrainFeeds,
  hook: ReadHook | undefined,
): Promise<string> => {
  for (const [key, weight] of net.weights) if (!(await allFinite(weight as TfTensor))) return `weight "${key}"`;
  const made: [string, TfTensor][] = [];
  const { tf } = net;
  tf.tidy(() => {
    const { running } = net.run(feeds, {
      training: true,
      hook,
      watch(node, outputs) {
        const first = outputs[0];
        if (first?.kind === "device" && first.tensor.dtype === "float32")
          made.push([labelOf(node), tf.keep(tf.clone(first.tensor))]);
      },
    });
    for (const value of running.values()) value.dispose();
  });
  let found: string | undefined;
  for (const [label, tensor] of made) {
    if (found === undefined && !(await allFinite(tensor))) found = `layer "${label}"`;
    tensor.dispose();
  }
  return found ?? "the loss itself";
};

import { intOf } from "../../attrs.ts";
import { producers } from "../../graph.ts";
import type { Model } from "../../model.ts";
import type { TfTensor } from "../tf.ts";
import type { RunOptions, Trainable, TrainFeeds } from "../trainable.ts";

/** The value that a loss is taken from: the first output, or what goes into its Softmax over the last axis. */
const scoreName = ({ graph, opsets }: Model): string => {
  const [{ name }] = graph.outputs;
  const node = producers(graph).get(name);
  if (node?.opType !== "Softmax" && node?.opType !== "LogSoftmax") return name;
  const axis = intOf(node, "axis", (opsets.get("") ?? 1) < 13 ? 1 : -1);
  const info = graph.outputs[0].type;
  const rank = info?.kind === "tensor" ? info.shape?.length : undefined;
  return axis === -1 || (rank !== undefined && axis === rank - 1) ? node.inputs[0] : name;
};

/** Runs a net: its outputs, and the scores that losses are taken from, before a last Softmax. */
export const scoresOf = (net: Trainable, feeds: TrainFeeds, options: RunOptions = {}) => {
  const name = scoreName(net.model);
  const { outputs, running } = net.run(feeds, { ...options, fetch: [name] });
  const output: TfTensor = outputs[name];
  return { output, outputs, running };
};

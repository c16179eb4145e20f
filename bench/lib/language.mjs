import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { argmax } from "./ctc.mjs";
import { dataFolder } from "./places.mjs";
import { floatOutputs } from "./reference.mjs";
import { asCalibration, round, sampleCount, take } from "./samples.mjs";

const feedOf = (ids, { layers, heads, headWidth }) => {
  const whole = (values) => ({ type: "int64", dims: [1, ids.length], data: BigInt64Array.from(values, BigInt) });
  const empty = { type: "float32", dims: [1, heads, 0, headWidth], data: new Float32Array(0) };
  const past = Array.from({ length: layers }, (_, i) => ["key", "value"].map((part) => `past_key_values.${i}.${part}`));
  return {
    input_ids: whole(ids),
    attention_mask: whole(ids.map(() => 1)),
    position_ids: whole(ids.map((_, i) => i)),
    ...Object.fromEntries(past.flat().map((name) => [name, empty])),
  };
};

/** Log of the sum of exponentials of one row. */
const logSum = (row) => {
  const largest = row[argmax(row)];
  let sum = 0;
  for (let v = 0; v < row.length; v++) sum += Math.exp(row[v] - largest);
  return largest + Math.log(sum);
};

const divergence = (p, q, pSum, qSum) => {
  let sum = 0;
  for (let v = 0; v < p.length; v++) sum += Math.exp(p[v] - pSum) * (p[v] - pSum - (q[v] - qSum));
  return sum;
};

/**
 * The data module of a language model with past keys and values: windows of tokens from `lm/TASK.{calib,dev}.json`; how far
 * its next-token distribution is from the float32 model's, its perplexity and how often its first guess is right.
 *
 * @param samples    how many windows calibrate
 * @param devWindows how many of the dev windows are looked at; all where it is not given
 */
export const languageTask = ({ task, layers, heads, headWidth, samples, devWindows }) => {
  const feed = (ids) => feedOf(ids, { layers, heads, headWidth });
  const windows = async (split) =>
    JSON.parse(await readFile(join(dataFolder(), "lm", `${task}.${split}.json`), "utf8")).ids;

  const calibration = asCalibration(async () => take(await windows("calib"), sampleCount(samples)), feed);

  /** The input that latency is measured on. */
  const latencyFeed = async () => feed((await windows("dev"))[0]);

  const evaluate = async (run) => {
    const rows = (await windows("dev")).slice(0, devWindows);
    const feeds = rows.map(feed);
    const reference = await floatOutputs(task, feeds);
    let [count, kl, loss, hits] = [0, 0, 0, 0];
    for (const [i, ids] of rows.entries()) {
      const { data } = (await run(feeds[i])).logits;
      const before = await reference(i);
      const width = data.length / ids.length;
      for (let t = 0; t + 1 < ids.length; t++, count++) {
        const [p, q] = [before, data].map((logits) => logits.subarray(t * width, (t + 1) * width));
        const [pSum, qSum] = [logSum(p), logSum(q)];
        kl += divergence(p, q, pSum, qSum);
        loss += qSum - q[ids[t + 1]];
        if (argmax(q) === ids[t + 1]) hits++;
      }
    }
    return {
      kl: { value: round(kl / count, 6), better: "lower" },
      perplexity: { value: round(Math.exp(loss / count), 4), better: "lower" },
      top1: { value: round(hits / count, 5), better: "higher" },
    };
  };
  return { calibration, latencyFeed, evaluate };
};

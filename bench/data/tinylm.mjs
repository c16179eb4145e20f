// A small language model: how far its next-token distribution is from the float32 model's, on the dev windows.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dataFolder } from "../lib/places.mjs";
import { floatReference } from "../lib/reference.mjs";
import { asCalibration, round, sampleCount, take } from "../lib/samples.mjs";

const USUAL_SAMPLES = 32;
const LAYERS = 6;
const HEADS = 4;
const HEAD_WIDTH = 32;

const feedOf = (ids) => {
  const whole = (values) => ({ type: "int64", dims: [1, ids.length], data: BigInt64Array.from(values, BigInt) });
  const empty = { type: "float32", dims: [1, HEADS, 0, HEAD_WIDTH], data: new Float32Array(0) };
  const past = Array.from({ length: LAYERS }, (_, i) => ["key", "value"].map((part) => `past_key_values.${i}.${part}`));
  return {
    input_ids: whole(ids),
    attention_mask: whole(ids.map(() => 1)),
    position_ids: whole(ids.map((_, i) => i)),
    ...Object.fromEntries(past.flat().map((name) => [name, empty])),
  };
};

const windows = async (split) =>
  JSON.parse(await readFile(join(dataFolder(), "lm", `tinylm.${split}.json`), "utf8")).ids;

export const calibration = asCalibration(async () =>
  take(await windows("calib"), sampleCount(USUAL_SAMPLES)).map(feedOf),
);

/** The input that latency is measured on. */
export const latencyFeed = async () => feedOf((await windows("dev"))[0]);

/** Log of the sum of exponentials of one row. */
const logSum = (row) => {
  const largest = row.reduce((a, b) => Math.max(a, b));
  return largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0));
};

export const evaluate = async (run) => {
  const rows = await windows("dev");
  const feeds = rows.map(feedOf);
  const reference = await floatReference("tinylm", feeds, ({ data }) => data);
  let [count, kl, loss, hits] = [0, 0, 0, 0];
  for (const [i, ids] of rows.entries()) {
    const { data } = (await run(feeds[i])).logits;
    const width = data.length / ids.length;
    for (let t = 0; t + 1 < ids.length; t++, count++) {
      const [p, q] = [reference[i], data].map((logits) => logits.subarray(t * width, (t + 1) * width));
      const [pSum, qSum] = [logSum(p), logSum(q)];
      for (let v = 0; v < width; v++) kl += Math.exp(p[v] - pSum) * (p[v] - pSum - (q[v] - qSum));
      loss += qSum - q[ids[t + 1]];
      if (q.indexOf(q.reduce((a, b) => Math.max(a, b))) === ids[t + 1]) hits++;
    }
  }
  return {
    kl: { value: round(kl / count, 6), better: "lower" },
    perplexity: { value: round(Math.exp(loss / count), 4), better: "lower" },
    top1: { value: round(hits / count, 5), better: "higher" },
  };
};

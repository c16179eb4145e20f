// Sentence embeddings: agreement with the float32 model on sentences and mails, and of the ten nearest sentences.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dataFolder } from "../lib/places.mjs";
import { floatReference } from "../lib/reference.mjs";
import { asCalibration, firstOutput, round, sampleCount, take } from "../lib/samples.mjs";

const USUAL_SAMPLES = 32;
const SENTENCES = 300;
const MAILS = 200;
const MAIL_LENGTH = 64;
const LATENCY_LENGTH = 64;
const NEIGHBOURS = 10;
/** The token that closes a sequence. */
const SEPARATOR = 102;

const feedOf = (ids) => {
  const tensor = (data) => ({ type: "int64", dims: [1, ids.length], data });
  return {
    input_ids: tensor(BigInt64Array.from(ids, BigInt)),
    attention_mask: tensor(new BigInt64Array(ids.length).fill(1n)),
    token_type_ids: tensor(new BigInt64Array(ids.length)),
  };
};

const idsOf = async (kind, split) =>
  JSON.parse(await readFile(join(dataFolder(), "minilm", `${kind}.json`), "utf8"))
    .filter((row) => row.split === split)
    .map((row) => row.ids);

export const calibration = asCalibration(async () => {
  const count = sampleCount(USUAL_SAMPLES);
  const mails = Math.floor(count / 2);
  return [...take(await idsOf("sentences", "calib"), count - mails), ...take(await idsOf("mails", "calib"), mails)].map(
    feedOf,
  );
});

const cut = (ids) => (ids.length <= MAIL_LENGTH ? ids : [...ids.slice(0, MAIL_LENGTH - 1), SEPARATOR]);

/** The input that latency is measured on: 64 tokens of the last mail. */
export const latencyFeed = async () => feedOf(cut((await idsOf("mails", "dev"))[MAILS - 1]).slice(0, LATENCY_LENGTH));

/** The mean over all positions, of unit length. One sequence a run, so there is no padding to leave out. */
const embedding = ({ data, dims: [, length, width] }) => {
  const mean = new Float64Array(width);
  for (let t = 0; t < length; t++) for (let i = 0; i < width; i++) mean[i] += data[t * width + i] / length;
  const norm = Math.sqrt(dot(mean, mean));
  return Float32Array.from(mean, (v) => v / norm);
};

const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

/** For each row, the indices of the nearest other rows. */
const nearest = (rows) =>
  rows.map((row, i) =>
    rows
      .map((other, j) => ({ j, score: j === i ? Number.NEGATIVE_INFINITY : dot(row, other) }))
      .sort((p, q) => q.score - p.score)
      .slice(0, NEIGHBOURS)
      .map(({ j }) => j),
  );

export const evaluate = async (run) => {
  const sentences = (await idsOf("sentences", "dev")).slice(0, SENTENCES);
  const mails = (await idsOf("mails", "dev")).slice(0, MAILS).map(cut);
  const feeds = [...sentences, ...mails].map(feedOf);
  const reference = await floatReference("minilm", feeds, embedding);
  const rows = [];
  for (const feed of feeds) rows.push(embedding(firstOutput(await run(feed))));
  const [mine, theirs] = [rows, reference].map((all) => nearest(all.slice(0, sentences.length)));
  const overlap = mine.map((list, i) => list.filter((j) => theirs[i].includes(j)).length / NEIGHBOURS);
  const cosines = rows.map((row, i) => dot(row, reference[i]));
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  return {
    cosine: { value: round(mean(cosines), 6), better: "higher" },
    recall10: { value: round(mean(overlap), 5), better: "higher" },
    cosineMin: { value: round(Math.min(...cosines), 5), better: "higher" },
  };
};

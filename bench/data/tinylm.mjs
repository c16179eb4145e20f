// A small language model: how far its next-token distribution is from the float32 model's, on the dev windows.
import { languageTask } from "../lib/language.mjs";

export const { calibration, latencyFeed, evaluate } = languageTask({
  task: "tinylm",
  layers: 6,
  heads: 4,
  headWidth: 32,
  samples: 32,
});

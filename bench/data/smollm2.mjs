// A language model of 135 million parameters: its next-token distribution on the first dev windows.
import { languageTask } from "../lib/language.mjs";

export const { calibration, latencyFeed, evaluate } = languageTask({
  task: "smollm2",
  layers: 30,
  heads: 3,
  headWidth: 64,
  samples: 32,
  devWindows: 16,
});

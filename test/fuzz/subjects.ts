import { readFileSync } from "node:fs";
import { writeOnnx } from "@espalier/core";
import { tinyModels } from "@espalier/core/testing";
import { realModels } from "../../packages/core/test/real-models.ts";

/** What is damaged: the bytes of a model file. */
export interface Subject {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const real = (["classifier", "voiceActivity", "detector"] as const).map((name) => ({
  name,
  bytes: new Uint8Array(readFileSync(realModels[name])),
}));
const tiny = await Promise.all(
  Object.entries(tinyModels).map(async ([name, make]) => ({ name, bytes: await writeOnnx(make().model) })),
);

/** Three real models and the tiny ones: convolutions, matrix products, a transformer, recurrent layers, `If`. */
export const subjects: readonly Subject[] = [...real, ...tiny];

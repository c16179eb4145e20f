import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { realFeeds } from "../../test/real-feeds.ts";
import { realModels } from "../../test/real-models.ts";
import { expectSameOutputs } from "../../test/run-model.ts";
import { readOnnx } from "../onnx/read.ts";
import { upgradeOpset } from "./upgrade-opset.ts";

const BOUND = 1e-5;

it.each(Object.entries(realFeeds))(
  "%s gives the same outputs within 1e-5 at opsets 13, 18 and 21",
  async (name, feeds) => {
    const model = readOnnx(new Uint8Array(readFileSync(realModels[name as keyof typeof realModels])));
    for (const target of [13, 18, 21]) {
      const upgraded = upgradeOpset(model, target);
      expect(upgraded.opsets.get("")).toBe(Math.max(target, model.opsets.get("") ?? 0));
      await expectSameOutputs(model, upgraded, feeds, BOUND);
    }
  },
);

import type { Schema } from "@cfworker/json-schema";
import { describe, expect, it } from "vitest";
import { schemaProblems } from "./check-schema.ts";

const schema: Schema = {
  type: "object",
  properties: {
    bits: { type: "integer", enum: [4, 8] },
    "a/b~c%": { type: "array", items: { type: "number", exclusiveMinimum: 0, maximum: 1 } },
    skip: { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] },
    calibrator: {
      anyOf: [
        { enum: ["minmax"] },
        { type: "object", properties: { percentile: { type: "number" } }, additionalProperties: false },
      ],
    },
    never: false,
    short: { type: "string", maxLength: 2 },
  },
  additionalProperties: false,
};

describe("schemaProblems", () => {
  it("is empty where the value fits, undefined fields being none", async () => {
    const value = { bits: 4, "a/b~c%": [0.5, 1], skip: ["x"], calibrator: { percentile: 99 }, never: undefined };
    expect(await schemaProblems(value, schema, "options")).toEqual([]);
  });

  it.each([
    [{ bits: "4" }, 'options.bits is "4", and must be 4 or 8'],
    [{ bits: () => 4 }, "options.bits is null, and must be 4 or 8"],
    [{ "a/b~c%": [0, 2, 1] }, "options.a/b~c%[0] is 0, and must be a number above 0 up to 1"],
    [{ skip: 3 }, "options.skip is 3, and must be a text or a list of texts"],
    [{ calibrator: { percentil: 1 } }, 'options.calibrator is {"percentil":1}, and must be "minmax" or an object'],
    [{ bots: 4 }, 'options has no "bots"; did you mean "bits"?'],
    [{ never: 1 }, "options: False boolean schema."],
    [{ short: "abc" }, "options.short: String is too long (3 > 2)."],
    [null, "options is null, and must be an object"],
  ])("of %j says it in one sentence", async (value, sentence) => {
    expect((await schemaProblems(value, schema, "options"))[0]).toBe(sentence);
  });

  it("says each thing once", async () => {
    const problems = await schemaProblems({ "a/b~c%": [0, 2], bits: 4.5, x1: 0, x2: 0 }, schema, "options");
    expect(problems).toHaveLength(5);
    expect(new Set(problems).size).toBe(5);
  });

  it("refuses what has no JSON, and leaves the schema as it is, even frozen", async () => {
    const loop: Record<string, unknown> = {};
    loop.bits = loop;
    expect(await schemaProblems(loop, schema, "options")).toEqual([
      expect.stringMatching(/^options cannot be checked \(Converting circular structure/),
    ]);
    expect((await schemaProblems({ "\ud800": 1 }, schema, "options"))[0]).toMatch(/^options cannot be checked \(/);
    const frozen = Object.freeze({ type: "object" as const });
    expect(await schemaProblems([], frozen, "options")).toEqual(["options is [], and must be an object"]);
  });
});

import type { Schema } from "@cfworker/json-schema";
import { definePass, EspalierError, type Pass } from "@espalier/core";
import { optionSchemas } from "@espalier/quant";
import { describe, expect, it } from "vitest";
import { schemaProblems } from "./check-schema.ts";
import { loadPasses } from "./load-passes.ts";
import type { PassEntry, PassRecipe, Target } from "./recipe.ts";
import { isSearch } from "./recipe.ts";
import { recipes } from "./recipes.ts";

const recipe = (...passes: PassEntry[]) => ({ name: "mine", passes });

const idle = (options: object) =>
  definePass({ name: "x/idle", stage: "prepare", traits: { preserves: [JSON.stringify(options)] }, apply: (m) => m });

const modules: Readonly<Record<string, unknown>> = {
  "espalier-pass-x": {
    default: idle,
    targeted: idle,
    strict: () => {
      throw new EspalierError("BAD_OPTION", "x/strict", "bits is 3. Choose 4.");
    },
    number: () => 3,
    around: ({ inner }: { inner: Pass }) => idle({ inner: inner.name, preserves: inner.traits?.preserves }),
    optionSchemas: {
      around: { type: "object", properties: { inner: { type: "object", makesPass: true } } },
      targeted: {
        type: "object",
        additionalProperties: false,
        properties: { target: { enum: ["node", "web", "size"] }, rank: { type: "integer", minimum: 1 } },
      },
      strict: {},
      number: {},
    },
  },
};

const load = async (name: string) => {
  if (!Object.hasOwn(modules, name)) throw new Error(`Cannot find package '${name}'\n    at somewhere`);
  return modules[name];
};

const optionsSeen = async (entry: PassEntry, target: Target = "node") =>
  JSON.parse((await loadPasses(recipe(entry), load, target))[0]!.traits!.preserves![0]!);

describe("loadPasses", () => {
  it("makes the passes of the real quantizers, by module and export", async () => {
    const names = ["rtn", "dynamicInt8", "staticInt8", "float16"];
    const passes = await loadPasses(recipe(...names.map((name) => ({ pass: `@espalier/quant/${name}` }))));
    expect(passes.map(({ name }) => name)).toEqual([
      "quant/rtn",
      "quant/dynamic-int8",
      "quant/static-int8",
      "quant/float16",
    ]);
  });

  it("checks no options of named recipes, which all fit the schemas of the quantizers", async () => {
    const plain = Object.values(recipes).filter((one): one is PassRecipe => !isSearch(one));
    for (const { pass, options = {} } of plain.flatMap(({ passes }) => passes)) {
      const schema = optionSchemas[pass.replace("@espalier/quant/", "") as keyof typeof optionSchemas] as Schema;
      expect(schema.type).toBe("object");
      expect(await schemaProblems(options, schema, pass)).toEqual([]);
    }
    const picky = { rtn: idle, optionSchemas: { rtn: { required: ["nothing"] } } };
    expect(await loadPasses(recipes["int4-all"] as PassRecipe, async () => picky)).toHaveLength(1);
    await expect(loadPasses({ ...(recipes["int4-all"] as PassRecipe) }, async () => picky)).rejects.toThrow(
      'recipe.passes[0].options lacks "nothing"',
    );
  });

  it("takes the last segment as the export, default too, and gives the options on", async () => {
    expect(await optionsSeen({ pass: "espalier-pass-x/default", options: { deep: [1] } })).toEqual({ deep: [1] });
  });

  it("gives the run's target to passes that take one, unless the recipe says another", async () => {
    const pass = "espalier-pass-x/targeted";
    expect(await optionsSeen({ pass }, "web")).toEqual({ target: "web" });
    expect(await optionsSeen({ pass, options: { target: "size" } }, "web")).toEqual({ target: "size" });
    expect(await optionsSeen({ pass: "espalier-pass-x/default" }, "web")).toEqual({});
  });

  it("makes the pass that an option names, with its options, where the schema says makesPass", async () => {
    const inner = { pass: "espalier-pass-x/default", options: { bits: 4 } };
    expect(await optionsSeen({ pass: "espalier-pass-x/around", options: { inner } })).toEqual({
      inner: "x/idle",
      preserves: ['{"bits":4}'],
    });
    const wrong = loadPasses(
      recipe({ pass: "espalier-pass-x/around", options: { inner: { pass: "espalier-pass-y/z" } } }),
      load,
    );
    await expect(wrong).rejects.toThrow(/passes\[0\]\.options\.inner\.pass: module "espalier-pass-y"/);
  });

  it("names every module, export and option that is wrong at once, with the nearest names", async () => {
    const wrong = loadPasses(
      recipe(
        { pass: "@espalier/quant/rtm" },
        { pass: "@espalier/quant/rtn", options: { bitz: 4, bits: 9, clip: "max" } },
        { pass: "espalier-pass-y/default" },
        { pass: "rtn" },
        { pass: "espalier-pass-x/strict" },
        { pass: "espalier-pass-x/number" },
        { pass: "espalier-pass-x/targeted", options: { rank: 0.5 } },
      ),
      (name) => (name === "@espalier/quant" ? import("@espalier/quant") : load(name)),
    );
    await expect(wrong).rejects.toMatchObject({ code: "BAD_RECIPE" });
    const { message } = (await wrong.catch((error: unknown) => error)) as Error;
    for (const part of [
      'recipe.passes[0].pass: module "@espalier/quant" has no pass "rtm"; did you mean "rtn"?',
      'recipe.passes[1].options has no "bitz"; did you mean "bits"?',
      "recipe.passes[1].options.bits is 9, and must be 8, 6, 5, 4, 3 or 2.",
      'recipe.passes[1].options.clip is "max", and must be "none", "mse" or "imatrix".',
      `recipe.passes[2].pass: module "espalier-pass-y" could not be loaded (Cannot find package 'espalier-pass-y')`,
      'recipe.passes[3].pass is "rtn", and must name a module and its export',
      'recipe.passes[4]: "espalier-pass-x/strict" refused its options: bits is 3. Choose 4.',
      'recipe.passes[5].pass: "espalier-pass-x/number" makes no pass',
      "recipe.passes[6].options.rank is 0.5, and must be a whole number of at least 1.",
    ])
      expect(message).toContain(part);
  });
});

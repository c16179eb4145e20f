import { isEspalierError } from "@espalier/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRecipe, recipeOf } from "./parse-recipe.ts";
import { recipes } from "./recipes.ts";

const messageOf = async (call: () => Promise<unknown>): Promise<string> => {
  try {
    await call();
  } catch (error) {
    if (isEspalierError(error) && error.code === "BAD_RECIPE") return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
};

const pass = { pass: "@espalier/quant/rtn" };

describe("parseRecipe", () => {
  it("gives recipes of passes and of candidates back as they are", async () => {
    const mine = {
      $schema: "recipe.schema.json",
      name: "mine",
      target: "web",
      passes: [{ ...pass, options: { bits: 4 } }],
    };
    const search = { name: "best", budget: { bytes: 1e6, maxDrop: 0.01 }, candidates: ["int4", mine] };
    expect(await parseRecipe(mine)).toBe(mine);
    expect(await parseRecipe(search)).toBe(search);
  });

  it("accepts every named recipe, after a way through JSON", async () => {
    for (const recipe of Object.values(recipes))
      expect(await parseRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
  });

  it("names everything that is wrong at once, unknown fields with the nearest name", async () => {
    const message = await messageOf(() =>
      parseRecipe({
        name: "",
        taget: "node",
        budget: { maxDorp: 1, bytes: -1 },
        passes: [{ option: {} }, { pass: 3 }],
      }),
    );
    expect(message).toContain('recipe has no "taget"; did you mean "target"?');
    expect(message).toContain("recipe.name is empty");
    expect(message).toContain('recipe.budget has no "maxDorp"; did you mean "maxDrop"?');
    expect(message).toContain("recipe.budget.bytes is -1, and must be a number above 0");
    expect(message).toContain('recipe.passes[0] has no "option"; did you mean "options"?');
    expect(message).toContain('recipe.passes[0] lacks "pass"');
    expect(message).toContain("recipe.passes[1].pass is 3, and must be a text");
  });

  it.each([
    [[], "recipe is [], and must be an object"],
    [null, "recipe is null, and must be an object"],
    [{ name: "x" }, 'recipe has neither "passes" nor "candidates"'],
    [{ name: "x", passes: [pass], candidates: ["int8"] }, 'recipe has both "passes" and "candidates"'],
    [{ name: "x", passes: [] }, "recipe.passes is empty"],
    [{ name: "x", candidates: [] }, "recipe.candidates is empty"],
    [{ name: "x", target: "phone", passes: [pass] }, 'recipe.target is "phone", and must be "node", "web" or "size"'],
    [{ name: "x", candidates: ["int9"] }, 'recipe.candidates[0] is "int9", no recipe of passes; did you mean "int8"?'],
    [{ name: "x", candidates: ["auto"] }, 'recipe.candidates[0] is "auto", no recipe of passes'],
    [
      { name: "x", candidates: [{ name: "y", pases: [] }] },
      'recipe.candidates[0] has no "pases"; did you mean "passes"?',
    ],
  ])("refuses %j", async (json, expected) => {
    expect(await messageOf(() => parseRecipe(json))).toContain(expected);
  });
});

describe("parseRecipe on anything", () => {
  const field = fc.constantFrom("name", "passes", "pass", "options", "candidates", "budget", "bytes", "target", "x");
  const json = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, true, 0, -1, 1.5, "", "int8", "web"),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(field, tie("value"), { maxKeys: 5 }),
    ),
  })).value;

  it("gives it back or throws BAD_RECIPE with a message under 20,000 characters, over 2,000 values", async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        try {
          expect(await parseRecipe(value)).toBe(value);
        } catch (error) {
          refused++;
          expect(isEspalierError(error) && error.code).toBe("BAD_RECIPE");
          expect((error as Error).message.length).toBeLessThan(20_000);
        }
      }),
      { numRuns: 2000, seed: 7 },
    );
    expect(refused).toBeGreaterThan(1000);
  });
});

describe("recipeOf", () => {
  it("names the nearest recipe, or all of them where none is near", async () => {
    expect(await recipeOf("int4-all")).toBe(recipes["int4-all"]);
    expect(await messageOf(() => recipeOf("int4all"))).toContain('"int4all" is no recipe; did you mean "int4-all"?');
    expect(await messageOf(() => recipeOf("tiny"))).toContain(`there is ${Object.keys(recipes).join(", ")}`);
    expect(await messageOf(() => recipeOf("toString"))).toContain('"toString" is no recipe');
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { ctcText } from "./ctc.mjs";
import { levenshtein } from "./levenshtein.mjs";

const oneHot = (indices, classes) => {
  const data = new Float32Array(indices.length * classes);
  for (const [step, index] of indices.entries()) data[step * classes + index] = 1;
  return data;
};

test("a CTC output drops repeats, then blanks, and keeps a letter repeated across a blank", () => {
  const keys = ["", "a", "b", " "];
  const steps = [3, 1, 1, 0, 1, 2, 2, 3, 3];
  expect(ctcText(oneHot(steps, keys.length), steps.length, keys.length, keys)).toBe("aab");
});

test("the edit distance counts code points, of 痰 and of an emoji alike", () => {
  expect(levenshtein("痰醛儒理", "痰儒理")).toBe(1);
  expect(levenshtein("a😀b", "a😁b")).toBe(1);
  expect(levenshtein("kitten", "sitting")).toBe(3);
});

test("the edit distance is symmetric, zero only for equals, and keeps the triangle inequality", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(
    fc.property(text, text, text, (a, b, c) => {
      expect(levenshtein(a, b)).toBe(levenshtein(b, a));
      expect(levenshtein(a, b) === 0).toBe(a === b);
      expect(levenshtein(a, c)).toBeLessThanOrEqual(levenshtein(a, b) + levenshtein(b, c));
    }),
    { seed: 1 },
  );
});

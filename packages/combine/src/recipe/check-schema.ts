import type { OutputUnit, Schema } from "@cfworker/json-schema";
import { suggestion } from "./nearest.ts";

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

const articles: Readonly<Record<string, string>> = {
  object: "an object",
  array: "a list",
  string: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
};

const either = (words: readonly string[]) =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;

const typeWords = (type: Schema["type"]) =>
  type === undefined ? "any value" : either([type].flat().map((one) => articles[one] ?? one));

/** What a schema allows, in words. */
const wanted = ({ type, enum: values, anyOf, minimum, exclusiveMinimum, maximum, items }: Schema): string => {
  if (anyOf) return either([...new Set(anyOf.map(wanted))]);
  if (values) return either(values.map((value) => JSON.stringify(value)));
  const bounds = [
    minimum === undefined ? "" : ` of at least ${minimum}`,
    exclusiveMinimum === undefined ? "" : ` above ${exclusiveMinimum}`,
    maximum === undefined ? "" : ` up to ${maximum}`,
  ];
  const of = isObject(items) && items.type ? ` of ${typeWords(items.type).replace(/^an? /, "")}s` : "";
  return `${typeWords(type)}${of}${bounds.join("")}`;
};

const shown = (value: unknown): string => {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

/** What a file would hold of a value: nothing of undefined, and null where JSON has no word. */
const asJson = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, one) => (typeof one === "function" || typeof one === "bigint" ? null : one)) ?? "null",
  );

/** Names along a pointer, "#/passes/0": URI fragments of RFC 6901. */
const steps = (pointer: string): string[] =>
  pointer
    .split("/")
    .slice(1)
    .map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"));

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce((found, step) => (isObject(found) ? found[step] : undefined), value);

const placeOf = (value: unknown, path: readonly string[], where: string): string =>
  path.reduce(
    (place, step, i) => `${place}${Array.isArray(at(value, path.slice(0, i))) ? `[${step}]` : `.${step}`}`,
    where,
  );

/** Keywords whose failure is told by what they hold. */
const OUTER = ["$ref", "allOf", "items", "patternProperties", "prefixItems", "properties", "false"];
/** Keywords of alternatives, which are told as a whole. */
const ALTERNATIVES = ["anyOf", "not", "oneOf"];
const DEPARTS = ["type", "enum", "anyOf", "minimum", "exclusiveMinimum", "maximum"];

/** Told before the rest of an object, the last first. */
const FIELDS = ["required", "additionalProperties"];

/** The units that say something of their own, one for each keyword and place, from the outside in. */
const ownUnits = (units: readonly OutputUnit[]): OutputUnit[] => {
  const alternatives = units.filter(({ keyword }) => ALTERNATIVES.includes(keyword));
  const own = units.filter(
    ({ keyword, keywordLocation }) =>
      !OUTER.includes(keyword) && !alternatives.some((one) => keywordLocation.startsWith(`${one.keywordLocation}/`)),
  );
  const once = new Map(own.map((unit) => [`${unit.instanceLocation} ${unit.keywordLocation}`, unit]));
  const depth = ({ instanceLocation }: OutputUnit) => instanceLocation.split("/").length;
  return [...once.values()].sort(
    (a, b) => depth(a) - depth(b) || FIELDS.indexOf(b.keyword) - FIELDS.indexOf(a.keyword),
  );
};

const sentences = async (unit: OutputUnit, value: unknown, schema: Schema, where: string): Promise<string[]> => {
  const path = steps(unit.instanceLocation);
  const place = placeOf(value, path, where);
  const found = at(value, path);
  const owner = at(schema, steps(unit.keywordLocation).slice(0, -1)) as Schema | undefined;
  const { keyword } = unit;
  if (owner?.additionalProperties === false && keyword === "additionalProperties" && isObject(found)) {
    const names = Object.keys(owner.properties ?? {});
    const unknown = Object.keys(found).filter((name) => !names.includes(name));
    return Promise.all(unknown.map(async (name) => `${place} has no "${name}"; ${await suggestion(name, names)}`));
  }
  if (owner?.required && keyword === "required" && isObject(found))
    return owner.required.filter((name) => !Object.hasOwn(found, name)).map((name) => `${place} lacks "${name}"`);
  if (keyword === "minItems" || keyword === "minLength")
    if (Array.isArray(found) ? found.length === 0 : found === "") return [`${place} is empty`];
  if (owner && DEPARTS.includes(keyword)) return [`${place} is ${shown(found)}, and must be ${wanted(owner)}`];
  return [`${place}: ${unit.error}`];
};

/**
 * Everything in which `value` departs from `schema` (JSON Schema 2020-12), one sentence each, without an end:
 * `passes[0].options has no "bitz"; did you mean "bits"?`. Empty where it fits.
 *
 * @param where what the sentences call the value: "recipe", "passes[0].options" …
 */
export const schemaProblems = async (value: unknown, schema: Schema, where: string): Promise<string[]> => {
  const { Validator } = await import("@cfworker/json-schema");
  try {
    // the validator writes into the schema
    const [json, own] = [asJson(value), asJson(schema) as Schema];
    const { errors } = new Validator(own, "2020-12", false).validate(json);
    const told = await Promise.all(ownUnits(errors).map((unit) => sentences(unit, json, own, where)));
    const problems = [...new Set(told.flat())];
    return problems.length > 0 ? problems : errors.slice(-1).map(({ error }) => `${where}: ${error}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return [`${where} cannot be checked (${reason})`];
  }
};

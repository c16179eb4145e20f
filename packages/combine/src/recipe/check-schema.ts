import { suggestion } from "./nearest.ts";

/** The part of JSON Schema (2020-12) that is checked here; other keywords are for editors and people. */
export interface Schema {
  readonly type?: "object" | "array" | "string" | "number" | "integer" | "boolean";
  readonly enum?: readonly (string | number | boolean | null)[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly [keyword: string]: unknown;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const hasType = (value: unknown, type: NonNullable<Schema["type"]>): boolean => {
  if (type === "object") return isObject(value);
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
};

const articles: Readonly<Record<NonNullable<Schema["type"]>, string>> = {
  object: "an object",
  array: "a list",
  string: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
};

const either = (words: readonly string[]) =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;

/** What a schema allows, in words. */
const wanted = ({ type, enum: values, anyOf, minimum, exclusiveMinimum, maximum, items }: Schema): string => {
  if (anyOf) return either([...new Set(anyOf.map(wanted))]);
  if (values) return either(values.map((value) => JSON.stringify(value)));
  const bounds = [
    minimum === undefined ? "" : ` of at least ${minimum}`,
    exclusiveMinimum === undefined ? "" : ` above ${exclusiveMinimum}`,
    maximum === undefined ? "" : ` up to ${maximum}`,
  ];
  const of = items?.type ? ` of ${articles[items.type].replace(/^an? /, "")}s` : "";
  return `${type ? articles[type] : "any value"}${of}${bounds.join("")}`;
};

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
};

/**
 * Everything in which `value` departs from `schema`, one sentence each, without an end: `passes[0].options has no
 * "bitz"; did you mean "bits"?`. Empty where it fits.
 *
 * @param where what the sentences call the value: "recipe", "passes[0].options" …
 */
export const schemaProblems = (value: unknown, schema: Schema, where: string): string[] => {
  const not = () => [`${where} is ${shown(value)}, and must be ${wanted(schema)}`];
  const { type, enum: values, anyOf, minimum, exclusiveMinimum, maximum } = schema;
  if (anyOf) return anyOf.some((some) => schemaProblems(value, some, where).length === 0) ? [] : not();
  if (values && !values.some((one) => one === value)) return not();
  if (type && !hasType(value, type)) return not();
  if (typeof value === "number") {
    const low = value < (minimum ?? value) || value <= (exclusiveMinimum ?? Number.NEGATIVE_INFINITY);
    return low || value > (maximum ?? value) ? not() : [];
  }
  if (typeof value === "string") return value.length < (schema.minLength ?? 0) ? [`${where} is empty`] : [];
  if (Array.isArray(value)) {
    const short = value.length < (schema.minItems ?? 0) ? [`${where} is empty`] : [];
    return [
      ...short,
      ...value.flatMap((item, i) => (schema.items ? schemaProblems(item, schema.items, `${where}[${i}]`) : [])),
    ];
  }
  return isObject(value) ? fieldProblems(value, schema, where) : [];
};

const fieldProblems = (value: Record<string, unknown>, schema: Schema, where: string): string[] => {
  const { properties = {}, required = [], additionalProperties = true } = schema;
  const names = Object.keys(properties);
  return [
    ...Object.keys(value)
      .filter((name) => !additionalProperties && !Object.hasOwn(properties, name))
      .map((name) => `${where} has no ${JSON.stringify(name)}; ${suggestion(name, names)}`),
    ...required.filter((name) => value[name] === undefined).map((name) => `${where} lacks "${name}"`),
    ...names
      .filter((name) => value[name] !== undefined)
      .flatMap((name) => schemaProblems(value[name], properties[name]!, `${where}.${name}`)),
  ];
};

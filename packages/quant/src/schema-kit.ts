/** JSON Schema, the part that is used here. */
export interface Schema {
  readonly type?: string;
  readonly enum?: readonly (string | number)[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly description?: string;
  /** A pass by its name and options, which recipes make before. */
  readonly makesPass?: boolean;
}

/** Lists every member of a union of strings: one that is missing, or is none, does not compile. */
export const all = <T extends string>(members: Readonly<Record<T, true>>) => Object.keys(members) as T[];

export const object = <Options>(properties: Readonly<Record<keyof Options & string, Schema>>): Schema => ({
  type: "object",
  properties,
  additionalProperties: false,
});

export const boolean = (description: string): Schema => ({ type: "boolean", description });
export const oneOf = (values: readonly (string | number)[], description: string): Schema => ({
  enum: values,
  description,
});

export const names: readonly Schema[] = [{ type: "string" }, { type: "array", items: { type: "string" } }];
export const selection = {
  skip: { anyOf: names, description: "Layers that are left alone: names, operators, globs." },
  only: { anyOf: names, description: "The only layers that are changed: names, operators, globs." },
};

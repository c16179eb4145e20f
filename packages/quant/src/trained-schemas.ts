import { trainSchemas } from "@espalier/core/train";
import { boolean, type Schema, selection } from "./schema-kit.ts";

const trained = { ...trainSchemas, ...selection };
const object = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: "object",
  properties,
  additionalProperties: false,
});
const bits = (description: string): Schema => ({ type: "integer", minimum: 2, maximum: 8, description });

/** Schemas of the passes that train. */
export const trainedSchemas = {
  lsq: object({
    ...trained,
    bits: bits("Bits of weights and of what they meet."),
    edgeBits: bits("Bits of the first and the last layer."),
    quantizeInput: boolean("What the first layer meets goes onto a grid too."),
  }),
  twn: object(trained),
  binaryConnect: object({
    ...trained,
    scaled: boolean("The mean size of a layer's weights as the factor of its codes."),
  }),
};

import { constantOf, consumers, type Scope } from "../../graph.ts";
import { isFloatType } from "../../numeric/floats.ts";
import { type DataType, readData, type Tensor, tensor } from "../../tensor.ts";
import { numbersOf } from "../numbers.ts";

const COMPARISONS: ReadonlySet<string> = new Set(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]);
const ON_PIXELS: ReadonlySet<string> = new Set(["Cast", "Div", "Identity", "Mul", "Sub", "Transpose"]);
/** Operators on pixels that are looked at. */
const MOST_STEPS = 4;
/** Beyond this, what is taken away from pixels or divides them says that they are bytes. */
const BYTE_LIKE = 10;

const firstNumber = async (t: Tensor): Promise<number | undefined> =>
  t.dims.includes(0) || t.type === "string"
    ? undefined
    : numbersOf(tensor<DataType>(t.type, t.dims, await readData(t)))[0];

/** Constants that a value is compared with, in any graph. */
export const comparedWith = async (scopes: readonly Scope[], name: string): Promise<number[]> => {
  const found = new Set<number>();
  for (const scope of scopes)
    for (const { opType, inputs } of scope.graph.nodes) {
      if (!COMPARISONS.has(opType) || !inputs.includes(name)) continue;
      const other = constantOf(scope, inputs[0] === name ? inputs[1] : inputs[0]);
      const value = other && (await firstNumber(other.tensor));
      if (value !== undefined) found.add(value);
    }
  return [...found];
};

/** 255 where pixels are bytes: by their type, or by the mean or range that the first operators take out; 1 elsewhere. */
export const pixelPeak = async (main: Scope, name: string, type: DataType): Promise<1 | 255> => {
  if (!isFloatType(type)) return 255;
  const uses = consumers(main.graph);
  let at = name;
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const node = uses.get(at)?.find(({ index }) => index === 0)?.node;
    if (!node || !ON_PIXELS.has(node.opType)) return 1;
    const constant = node.inputs[1] === undefined ? undefined : constantOf(main, node.inputs[1]);
    const size = Math.abs((constant && (await firstNumber(constant.tensor))) ?? 1);
    if (node.opType === "Mul" ? size < 1 / BYTE_LIKE : size > BYTE_LIKE) return 255;
    at = node.outputs[0];
  }
  return 1;
};

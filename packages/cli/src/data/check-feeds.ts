import { arrayLengthOf, type DataType, dataTypes, type Feeds, type Tensor, type TensorData } from "@espalier/core";
import { badData } from "../errors.ts";
import { suggestion } from "../suggestion.ts";
import { type InputSpec, specText } from "./model-inputs.ts";

type Signature = Pick<Tensor, "type" | "dims">;
type Wrong = (message: string) => Error;

const isDims = (dims: unknown): dims is number[] =>
  Array.isArray(dims) && dims.every((dim) => Number.isInteger(dim) && dim >= 0);

const isSignature = (value: unknown): value is Signature =>
  typeof value === "object" &&
  value !== null &&
  "type" in value &&
  Object.hasOwn(dataTypes, String(value.type)) &&
  "dims" in value &&
  isDims(value.dims);

const quoted = (names: readonly string[]) => names.map((name) => `"${name}"`).join(", ");

const checkDims = (input: InputSpec, dims: readonly number[], wrong: Wrong) => {
  const { shape } = input;
  if (!shape) return;
  if (dims.length !== shape.length) {
    throw wrong(`the model takes ${shape.length} axes, ${specText(input)}. Reshape the data`);
  }
  const axis = shape.findIndex((dim, i) => typeof dim === "number" && dim > 0 && dim !== dims[i]);
  if (axis >= 0)
    throw wrong(`axis ${axis} must be ${shape[axis]}, for the model takes ${specText(input)}. Reshape the data`);
};

const checkOne = (input: InputSpec, found: unknown, at: string, wrong: Wrong) => {
  if (!isSignature(found)) {
    throw wrong(`gives no tensor ${at}. Give { type: "${input.type ?? "float32"}", dims, data }`);
  }
  const { type, dims } = found;
  if (input.type !== undefined && type !== input.type) {
    throw wrong(`gives ${type} ${at}, and the model takes ${specText(input)}. Convert the data to ${input.type}`);
  }
  checkDims(input, dims, (message) => wrong(`gives dims [${dims.join(", ")}] ${at}: ${message}`));
};

const wrongIn =
  (file: string): Wrong =>
  (message) =>
    badData(file, `${message}.`);

/**
 * Checks names, types and dims against the inputs of the model.
 *
 * @param file  what messages call the data
 * @param where "in sample 3" or the like
 * @throws EspalierError `BAD_DATA` that names the input and what to do
 */
export const checkSignature = async (
  inputs: readonly InputSpec[],
  feeds: unknown,
  file: string,
  where = "",
): Promise<void> => {
  const wrong = wrongIn(file);
  const names = inputs.map(({ name }) => name);
  const tail = where && ` ${where}`;
  if (typeof feeds !== "object" || feeds === null) {
    const what = feeds === null ? "null" : typeof feeds;
    throw wrong(`gives ${what}${tail} instead of feeds. Give { "${names[0] ?? "name"}": { type, dims, data } }`);
  }
  for (const name of Object.keys(feeds)) {
    if (names.includes(name)) continue;
    const known = `The inputs of the model are ${quoted(names)}`;
    throw wrong(`has "${name}"${tail}, which is no input of the model.${await suggestion(name, names)} ${known}`);
  }
  for (const input of inputs) {
    const found = (feeds as Record<string, unknown>)[input.name];
    if (found !== undefined) checkOne(input, found, `for input "${input.name}"${tail}`, wrong);
    else if (!input.optional) {
      throw wrong(`has nothing for input "${input.name}" (${specText(input)})${tail}. Give a tensor for each input`);
    }
  }
};

const arrayName = (type: DataType) =>
  type === "string" ? "Array" : (dataTypes[type].array as unknown as { name: string }).name;

const className = (data: unknown): string => (data as object | undefined)?.constructor?.name ?? typeof data;

/** Half floats of engines that have them, as bit patterns. */
const bitsOf = ({ type, data }: Tensor): TensorData => {
  if (type !== "float16" || className(data) !== "Float16Array") return data;
  const { buffer, byteOffset, length } = data as Uint16Array;
  return new Uint16Array(buffer, byteOffset, length);
};

const checkData = (tensor: Tensor, at: string, wrong: Wrong): Tensor => {
  const { type, dims } = tensor;
  const data = bitsOf(tensor);
  const wanted = arrayName(type);
  if (className(data) !== wanted) {
    throw wrong(`gives data of class ${className(data)} ${at}. Give a ${wanted} for ${type}`);
  }
  const expected = arrayLengthOf(type, dims);
  if (data.length !== expected) {
    const held = `dims [${dims.join(", ")}], which hold ${expected}`;
    throw wrong(`gives ${data.length} values ${at} with ${held}. Correct dims or data`);
  }
  return { type, dims, data } as Tensor;
};

/**
 * Feeds that the model can take, as plain tensors.
 *
 * @throws EspalierError `BAD_DATA` as `checkSignature`, and for data that its type or dims do not fit
 */
export const checkFeeds = async (
  inputs: readonly InputSpec[],
  feeds: unknown,
  file: string,
  where = "",
): Promise<Feeds> => {
  await checkSignature(inputs, feeds, file, where);
  const tail = where && ` ${where}`;
  return Object.fromEntries(
    Object.entries(feeds as Feeds)
      .filter(([, tensor]) => tensor !== undefined)
      .map(([name, tensor]) => [name, checkData(tensor, `for input "${name}"${tail}`, wrongIn(file))]),
  );
};

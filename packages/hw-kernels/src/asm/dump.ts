import { type DecodedFunction, decode, type Instruction } from "./decode.ts";

const opens = new Set(["block", "loop", "if", "else"]);
const closes = new Set(["else", "end"]);

/** v128 constants are written as four 32-bit words, the lowest lane first, as in the text format. */
const words = (bytes: readonly number[]) => {
  const view = new DataView(Uint8Array.from(bytes).buffer);
  return [0, 4, 8, 12].map((at) => `0x${view.getUint32(at, true).toString(16).padStart(8, "0")}`);
};

const line = ({ name, operands }: Instruction): string => {
  if (name === "v128.const") return ["v128.const i32x4", ...words(operands as number[])].join(" ");
  if (name === "select") return "select";
  if (!/\.(load|store)/.test(name)) return [name, ...operands].join(" ");
  const [offset, ...lane] = operands;
  return [name, ...(offset ? [`offset=${offset}`] : []), ...lane].join(" ");
};

const group = (keyword: string, types: readonly string[]) => (types.length ? ` (${keyword} ${types.join(" ")})` : "");

const functionText = ({ name, parameters, result, locals, code }: DecodedFunction): string[] => {
  const results = result === "none" ? [] : [result];
  const lines = [`  (func (export "${name}")${group("param", parameters)}${group("result", results)}`];
  if (locals.length) lines.push(`   ${group("local", locals)}`);
  let depth = 2;
  for (const instruction of code.slice(0, -1)) {
    if (closes.has(instruction.name)) depth -= 1;
    lines.push("  ".repeat(depth) + line(instruction));
    if (opens.has(instruction.name)) depth += 1;
  }
  lines[lines.length - 1] += ")";
  return lines;
};

/** A module's bytes as WebAssembly text, one instruction a line, indented by nesting. */
export const dump = (bytes: Uint8Array): string => {
  const { shared, functions } = decode(bytes);
  const memory = `  (import "env" "memory" (memory 1${shared ? " 65536 shared" : ""}))`;
  return ["(module", memory, ...functions.flatMap(functionText)].join("\n").concat(")\n");
};

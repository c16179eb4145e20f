import { type DecodedFunction, decode, type Instruction } from "../decode.ts";
import { tables } from "../instructions.ts";
import { laneOperations, type Vector } from "./lanes.ts";
import { memoryOperations } from "./loads.ts";
import { relaxedOperations } from "./relaxed.ts";
import type { RelaxedSemantics } from "./relaxed-semantics.ts";
import { scalarOperations } from "./scalars.ts";
import { shapeOperations } from "./shapes.ts";

type Value = number | bigint | Vector;
type Step = (stack: Value[], locals: Value[]) => number | undefined;

const signatures = new Map(tables.flatMap(({ rows }) => Object.entries(rows).map(([name, row]) => [name, row[1]])));
const assign = (locals: Value[], index: number, value: Value): undefined => {
  locals[index] = value;
};
const zero = (type: string): Value => (type === "v128" ? new Uint8Array(16) : type === "i64" ? 0n : 0);

/** For each `block`, `loop`, `if` and `else` the position of its end; for `if` also that of its `else`. */
const structure = (code: readonly Instruction[]) => {
  const ends = new Map<number, number>();
  const elses = new Map<number, number>();
  const open: number[] = [];
  code.forEach(({ name }, i) => {
    if (["block", "loop", "if"].includes(name)) open.push(i);
    if (name === "else") elses.set(open.at(-1)!, i);
    if (name === "end" && open.length) ends.set(open.pop()!, i);
  });
  return { ends, elses };
};

/**
 * The functions of a module as JavaScript functions that execute its bytes, one instruction at a time, on `memory`, as a
 * host with the given relaxed semantics would. Slow, and independent of the engine: shows what a kernel does on hosts
 * other than this one. Traps other than out-of-bounds loads are not modelled.
 */
export const interpret = (
  bytes: Uint8Array,
  memory: Uint8Array<ArrayBuffer>,
  host: RelaxedSemantics,
): Record<string, (...args: (number | bigint)[]) => Value | undefined> => {
  const { functions } = decode(bytes);
  const operations = {
    ...scalarOperations,
    ...laneOperations,
    ...shapeOperations,
    ...relaxedOperations(host),
    ...memoryOperations(memory),
  };

  const arithmetic = ({ name, operands }: Instruction): Step => {
    const [input = "", output] = signatures.get(name)!.split(":");
    const operation = operations[name];
    if (!operation) throw new Error(`${name} is not interpreted`);
    const push = (stack: Value[], result: Value) => {
      if (output) stack.push(result);
      return undefined;
    };
    if (input.length === 2)
      return (stack) => {
        const second = stack.pop();
        return push(stack, operation(stack.pop(), second, ...operands));
      };
    if (input.length === 1) return (stack) => push(stack, operation(stack.pop(), ...operands));
    return (stack) => push(stack, operation(...stack.splice(stack.length - input.length), ...operands));
  };

  /** A step returns the position to go on at, if not the next. */
  const stepsOf = (code: readonly Instruction[]): Step[] => {
    const { ends, elses } = structure(code);
    const open: number[] = [];
    const target = (depth: number) => {
      const at = open[open.length - 1 - depth];
      if (at === undefined) return code.length;
      return code[at]!.name === "loop" ? at + 1 : ends.get(at)! + 1;
    };
    return code.map((instruction, i): Step => {
      const { name, operands } = instruction;
      const index = Number(operands[0]);
      if (name === "block" || name === "loop" || name === "if") open.push(i);
      if (name === "block" || name === "loop") return () => undefined;
      if (name === "if") {
        const otherwise = (elses.get(i) ?? ends.get(i)!) + 1;
        return (stack) => (stack.pop() ? undefined : otherwise);
      }
      if (name === "else") {
        const after = ends.get(open.at(-1)!)! + 1;
        return () => after;
      }
      if (name === "end") {
        open.pop();
        return () => undefined;
      }
      if (name === "br" || name === "br_if") {
        const to = target(index);
        return name === "br" ? () => to : (stack) => (stack.pop() ? to : undefined);
      }
      if (name.endsWith(".const")) {
        const value = name === "v128.const" ? Uint8Array.from(operands as number[]) : operands[0]!;
        return (stack) => void stack.push(value);
      }
      if (name === "local.get") return (stack, locals) => void stack.push(locals[index]!);
      if (name === "local.set") return (stack, locals) => assign(locals, index, stack.pop()!);
      if (name === "local.tee") return (stack, locals) => assign(locals, index, stack[stack.length - 1]!);
      if (name === "select")
        return (stack) => {
          const [whenTrue, whenFalse, condition] = stack.splice(stack.length - 3);
          stack.push(condition ? whenTrue! : whenFalse!);
          return undefined;
        };
      if (name === "call")
        return (stack) => {
          const { parameters, result } = functions[index]!;
          const value = run[index]!(stack.splice(stack.length - parameters.length));
          if (result !== "none") stack.push(value!);
          return undefined;
        };
      return arithmetic(instruction);
    });
  };

  const runner = ({ code, locals }: DecodedFunction) => {
    const steps = stepsOf(code);
    return (args: Value[]): Value | undefined => {
      const variables = [...args, ...locals.map(zero)];
      const stack: Value[] = [];
      for (let at = 0; at < steps.length; ) at = steps[at]!(stack, variables) ?? at + 1;
      return stack.pop();
    };
  };
  const run = functions.map(runner);
  return Object.fromEntries(functions.map(({ name }, i) => [name, (...args) => run[i]!(args)]));
};

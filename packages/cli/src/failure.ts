import { isEspalierError } from "@espalier/core";
import { firstLine, nodeCode } from "./errors.ts";
import { EXIT, exitCodeOf } from "./exit-code.ts";

/** What went wrong, in one line, and the exit code. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exit: number;
}

const oneLine = (text: string) => text.replace(/\s*\n\s*/g, " ").trim();

/** Errors of the file system come as Node's; every other error that is not ours is a fault. */
export const failureOf = (error: unknown): Failure => {
  if (isEspalierError(error)) {
    return { code: error.code, message: oneLine(error.message), exit: exitCodeOf(error.code) };
  }
  if (error instanceof Error && "syscall" in error && nodeCode(error)) {
    return {
      code: "IO",
      message: `[cli] ${firstLine(error)}. Check the path and its permissions.`,
      exit: EXIT.badInput,
    };
  }
  const message = `[cli] ${firstLine(error)}. This is a fault in Espalier; ESPALIER_DEBUG=1 shows where.`;
  return { code: "FAULT", message, exit: EXIT.fault };
};

import type { ErrorCode } from "@espalier/core";

/** What the shell is told. */
export const EXIT = {
  good: 0,
  /** A fault of Espalier, not of what it was given. */
  fault: 1,
  usage: 2,
  badInput: 3,
  /** `--max-drop` or a recipe's budget was not met; the best so far is written. */
  notMet: 4,
  /** 128 + SIGINT: stopped before there was anything to write. */
  interrupted: 130,
} as const;

const usage: readonly ErrorCode[] = ["BAD_OPTION", "EXISTS", "MISSING_NEED", "CONFLICT"];

/** The exit code for an error of ours: usage for what another command line would mend, bad input for the rest. */
export const exitCodeOf = (code: ErrorCode): number => {
  if (code === "ABORTED") return EXIT.interrupted;
  if (code === "BUDGET") return EXIT.notMet;
  return usage.includes(code) ? EXIT.usage : EXIT.badInput;
};

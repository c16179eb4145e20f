import { CommanderError } from "commander";
import manifest from "../package.json" with { type: "json" };
import { EXIT } from "./exit-code.ts";
import type { Failure } from "./failure.ts";
import { type Io, processIo } from "./io.ts";
import { programOf } from "./program.ts";

/** "error: unknown option '--x'\n(Did you mean --y?)" as one sentence after another. */
const usageMessage = (error: CommanderError): string => {
  const text = error.message.replace(/^error: /, "").replaceAll("'", '"');
  const sentences = text.split("\n").map((line) => line.trim().replace(/^\((.*)\)$/, "$1"));
  const told = sentences.filter((line) => line !== "").map((line) => (/[.?!]$/.test(line) ? line : `${line}.`));
  return `[cli] ${told.join(" ")} See: espalier --help.`;
};

const tell = ({ code, message, exit }: Failure, json: boolean, io: Io): number => {
  io.stderr.write(`espalier: ${code} ${message}\n`);
  if (json) io.stdout.write(`${JSON.stringify({ error: { code, message } }, null, 2)}\n`);
  return exit;
};

/**
 * Runs the `espalier` command and resolves to its exit code: 0 good, 2 usage, 3 bad input, 4 a budget not met, 130
 * interrupted with nothing to write, 1 a fault. Errors are one line on stderr; with `--json` also `{ error: { code,
 * message } }` on stdout.
 *
 * @param argv arguments after the command's name
 */
export const main = async (argv: readonly string[], io: Io = processIo()): Promise<number> => {
  const json = argv.includes("--json");
  let exit: number = EXIT.good;
  const program = programOf(io, manifest.version, (code) => {
    exit = code;
  });
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: "user" });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.good;
      return tell({ code: "BAD_OPTION", message: usageMessage(error), exit: EXIT.usage }, json, io);
    }
    if (io.env.ESPALIER_DEBUG && error instanceof Error) io.stderr.write(`${error.stack}\n`);
    const { failureOf } = await import("./failure.ts");
    return tell(failureOf(error), json, io);
  }
};

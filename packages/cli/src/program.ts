import { Command, InvalidArgumentError, Option } from "commander";
import type { Io } from "./io.ts";

const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`Give a whole number of at least ${least}.`);
    }
    return value;
  };

const nonNegative = (text: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError("Give a number of at least 0.");
  }
  return value;
};

const dataOption = () =>
  new Option("--data <path>", "data: a module (.mjs), an archive (.npz), or a folder of samples");
const jsonOption = () => new Option("--json", "print one JSON document");
const threadsOption = () => new Option("--threads <number>", "threads of the runtime").argParser(wholeNumber(1));

const DESCRIPTION = "Makes an ONNX model small and fast where it ships.";
const EXIT_CODES = `
Exit codes: 0 good, 2 usage, 3 bad input, 4 --max-drop or a budget not met (the best so far is written).`;

/** The command line. `done` is told the exit code of the command that ran; every command is loaded when it is called. */
export const programOf = (io: Io, version: string, done: (code: number) => void): Command => {
  const program = new Command("espalier")
    .description(DESCRIPTION)
    .version(version, "-v, --version")
    .addHelpText("after", EXIT_CODES)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      // errors are told in one line by the caller
      writeErr: () => undefined,
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getOutHasColors: () => false,
    });

  program
    .command("compress")
    .description("write a smaller model, and report what that changed")
    .argument("<model>", "ONNX file, or a folder as transformers.js reads it (config.json, onnx/)")
    .option("-o, --output <path>", "where to write (default: NAME.RECIPE.onnx, or FOLDER-RECIPE, beside the model)")
    .option("--recipe <name>", "a recipe's name, or a JSON file (see: espalier recipes)", "auto")
    .addOption(dataOption())
    .addOption(
      new Option("--target <runtime>", "where the model runs: latency counts there, or only size does").choices([
        "node",
        "web",
        "size",
      ]),
    )
    .option("--max-drop <number>", "largest loss in the first metric of the data; relative L2 without one", nonNegative)
    .option("--no-measure", "only compress: no latency, brotli size or fidelity")
    .option("--file <name>", "of a folder with several models: encoder_model, decoder_model_merged …")
    .option("--dtype <name>", "what transformers.js calls the result: q4, q8, fp16 … (default: by its bits)")
    .option("--seed <number>", "seed of what is random", wholeNumber(0))
    .option(
      "--stats <file>",
      "keep statistics of calibration here: a second method on the same model and data starts at once",
    )
    .addOption(threadsOption())
    .option("--force", "replace an output that is there")
    .addOption(jsonOption())
    .action(async (model, flags) => {
      const { compressCommand } = await import("./commands/compress.ts");
      done(await compressCommand(model, flags, io));
    });

  program
    .command("inspect")
    .description("show where the bytes are, the layers, and which schemes fit them")
    .argument("<model>", "ONNX file, or a folder with one")
    .addOption(jsonOption())
    .action(async (model, flags) => {
      const { inspectCommand } = await import("./commands/inspect.ts");
      done(await inspectCommand(model, flags, io));
    });

  program
    .command("compare")
    .description("measure how far model B is from model A: outputs, inner values, size, latency")
    .argument("<a>", "ONNX file, or a folder with one")
    .argument("<b>", "ONNX file, or a folder with one")
    .addOption(dataOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .action(async (a, b, flags) => {
      const { compareCommand } = await import("./commands/compare.ts");
      done(await compareCommand(a, b, flags, io));
    });

  program
    .command("recipes")
    .description("list the recipes that --recipe takes by name")
    .addOption(jsonOption())
    .action(async (flags) => {
      const { recipesCommand } = await import("./commands/recipes.ts");
      done(recipesCommand(flags, io));
    });

  return program;
};

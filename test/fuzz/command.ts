import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openModel, writeOnnx } from "@espalier/core";
import { tinyMlp } from "@espalier/core/testing";
import { main } from "espalier";
import { floats, npzBytes } from "../../packages/cli/test/npz-bytes.ts";
import { expectSame, listing } from "./folder.ts";

/** Exit codes of `espalier` that say what was wrong; 1 is a fault of its own. */
const BAD_INPUT = 3;
const USAGE = 2;

/** Runs the command in this process. Throws for a fault, and for a failure that left files. Returns the exit code. */
const runCommand = async (cwd: string, args: readonly string[]): Promise<number> => {
  const before = listing(cwd);
  let told = "";
  const output = {
    write(text: string) {
      told += text;
    },
  };
  const env = { ...process.env, ESPALIER_DEBUG: "1" };
  const code = await main(args, { stdout: { write: () => undefined }, stderr: output, cwd, env });
  if (code === 0) return code;
  if (code !== BAD_INPUT && code !== USAGE) throw new Error(`espalier ${args.join(" ")} ended with ${code}: ${told}`);
  expectSame(cwd, before);
  return code;
};

const recipes = ["int8-weights", "auto", "int8", "int4", "fp16", "int4-all"] as const;

/** `compress --no-measure` and `inspect` of the file `model.onnx` in a folder. */
export const commandCase = async (folder: string, index: number): Promise<string[]> => {
  const recipe = recipes[index % recipes.length];
  const before = listing(folder);
  const code = await runCommand(folder, [
    "compress",
    "model.onnx",
    "--no-measure",
    "--recipe",
    recipe,
    "-o",
    "out.onnx",
  ]);
  if (code === 0) {
    await openModel(join(folder, "out.onnx"));
    for (const name of readdirSync(folder).filter((file) => file.startsWith("out.onnx"))) rmSync(join(folder, name));
  }
  expectSame(folder, before);
  const inspected = await runCommand(folder, ["inspect", "model.onnx", "--json"]);
  return [`compress: exit ${code}`, `inspect: exit ${inspected}`];
};

const ROWS = 2;
const COLUMNS = 24;
const values = Array.from({ length: ROWS * COLUMNS }, (_, i) => Math.sin(i));
/** A TensorProto of float32 [2, 24]: dims, type, raw_data. */
const tensorFile = Uint8Array.from([
  ...[0x08, ROWS, 0x08, COLUMNS, 0x10, 1, 0x4a, 0xc0, 0x01],
  ...new Uint8Array(Float32Array.from(values).buffer),
]);

/** Data of each kind that the command takes, as the bytes of one file of it. */
export const dataFiles: readonly { readonly data: string; readonly file: string; readonly bytes: Uint8Array }[] = [
  { data: "data.npz", file: "data.npz", bytes: npzBytes({ x: floats([ROWS, COLUMNS], values) }) },
  { data: "data.npz", file: "data.npz", bytes: npzBytes({ x: floats([ROWS, COLUMNS], values) }, { level: 6 }) },
  { data: "folder", file: "folder/1.npz", bytes: npzBytes({ x: floats([ROWS, COLUMNS], values) }) },
  { data: "set", file: "set/test_data_set_0/input_0.pb", bytes: tensorFile },
];

/** `compress` of a good model with damaged calibration data. */
export const dataCase = async (folder: string, file: (typeof dataFiles)[number]): Promise<string[]> => {
  writeFileSync(join(folder, "model.onnx"), await writeOnnx(tinyMlp().model));
  const path = join(folder, file.file);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, file.bytes);
  const args = ["compress", "model.onnx", "--no-measure", "--recipe", "int8-static", "--data", file.data];
  return [`data: exit ${await runCommand(folder, args)}`];
};

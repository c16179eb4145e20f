import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openModel, readData, readOnnx, readTensorProto, saveModel, writeOnnx } from "@espalier/core";
import fc from "fast-check";
import { mutate, mutation } from "../../packages/core/test/mutate.ts";
import { commandCase, dataCase, dataFiles } from "./command.ts";
import { distort } from "./distort.ts";
import { DATA_FILE, externalEntry, externalModel, SECRET_FILE, WEIGHT_BYTES } from "./external.ts";
import { expectSame, listing } from "./folder.ts";
import { attempt, runSteps } from "./steps.ts";
import { subjects } from "./subjects.ts";

const sample = <T>(arbitrary: fc.Arbitrary<T>, seed: number): T => fc.sample(arbitrary, { seed, numRuns: 1 })[0];

const damaged = (bytes: Uint8Array, seed: number) => mutate(bytes, sample(mutation(bytes.length), seed));
const subjectOf = (index: number) => subjects[Math.floor(index / kinds.length) % subjects.length];

/** Runs `body`, which says what it wrote. Throws when the folder holds anything else that it did not hold before. */
const writesOnly = async (folder: string, body: () => Promise<readonly string[]>): Promise<void> => {
  const before = listing(folder);
  const written = await body().catch((error: unknown) => {
    expectSame(folder, before);
    throw error;
  });
  for (const file of written) rmSync(file);
  expectSame(folder, before);
};

/** Opens a file, runs every step, and saves it again in both ways. */
const throughFiles = async (path: string, folder: string, index: number): Promise<string[]> => {
  const results: string[] = [];
  const opened = await attempt("open", async () => {
    const model = await openModel(path);
    results.push(...(await runSteps(model, index)));
    for (const externalData of ["auto", true] as const) {
      const save = async () => {
        const { files } = await saveModel({ ...model }, join(folder, "saved.onnx"), { externalData });
        await openModel(files[0]);
        return files;
      };
      const result = await attempt("save", () => writesOnly(folder, save));
      results.push(`save: ${result}`);
    }
  });
  return [`open: ${opened}`, ...results];
};

const SECRET = 0x5a;

/** A folder with a data file, a link out of it, a linked folder, a pipe, and a file above it that must not be read. */
const trap = (folder: string): string => {
  const inner = join(folder, "model");
  mkdirSync(join(inner, "folder"), { recursive: true });
  mkdirSync(join(folder, "outside"));
  const secret = new Uint8Array(4 * WEIGHT_BYTES).fill(SECRET);
  writeFileSync(join(folder, SECRET_FILE), secret);
  writeFileSync(join(folder, "outside", DATA_FILE), secret);
  writeFileSync(join(inner, DATA_FILE), new Uint8Array(WEIGHT_BYTES));
  symlinkSync(join(folder, SECRET_FILE), join(inner, "link.bin"));
  symlinkSync(join(folder, "outside"), join(inner, "linked"));
  execFileSync("mkfifo", [join(inner, "fifo")]);
  return inner;
};

const externalCase = async (folder: string, seed: number, index: number): Promise<string[]> => {
  const inner = trap(folder);
  const bytes = externalModel(sample(externalEntry, seed));
  const path = join(inner, "model.onnx");
  writeFileSync(path, index % 2 === 0 ? bytes : damaged(bytes, seed));
  if (index % 3 === 0) return commandCase(inner, index);
  const read = await attempt("secret", async () => {
    for (const weight of (await openModel(path)).graph.weights.values()) {
      const data = (await readData(weight)) as Float32Array;
      if (new Uint8Array(data.buffer, data.byteOffset, data.byteLength).includes(SECRET))
        throw new Error("a file outside the model's folder was read");
    }
  });
  return [`secret: ${read}`, ...(await throughFiles(path, folder, index))];
};

/** A TensorProto of 16 floats: dims, type, name, raw_data. */
const tensorFile = Uint8Array.from([0x08, 16, 0x10, 1, 0x42, 1, 0x78, 0x4a, 64, ...new Array<number>(64).fill(1)]);

const memoryCase = async (_: string, seed: number, index: number): Promise<string[]> => {
  const results: string[] = [];
  const read = await attempt("read", async () => {
    results.push(...(await runSteps(readOnnx(damaged(subjectOf(index).bytes, seed)), index)));
  });
  return [`read: ${read}`, ...results];
};

/** A file in good order whose graph makes no sense. */
const senselessCase = async (_: string, seed: number, index: number): Promise<string[]> => {
  const bytes = await writeOnnx(distort(readOnnx(subjectOf(index).bytes), seed));
  return (await runSteps(readOnnx(bytes), index)).map((result) => `senseless, ${result}`);
};

const senselessCommandCase = async (folder: string, seed: number, index: number): Promise<string[]> => {
  const bytes = await writeOnnx(distort(readOnnx(subjectOf(index).bytes), seed));
  writeFileSync(join(folder, "model.onnx"), bytes);
  const results = await commandCase(folder, Math.floor(index / kinds.length));
  return results.map((result) => `senseless, ${result}`);
};

const fileCase = (folder: string, seed: number, index: number): Promise<string[]> => {
  const path = join(folder, "model.onnx");
  writeFileSync(path, damaged(subjectOf(index).bytes, seed));
  return throughFiles(path, folder, index);
};

const tensorCase = async (_: string, seed: number): Promise<string[]> => {
  const result = await attempt("tensor", async () => readData(readTensorProto(damaged(tensorFile, seed)).tensor));
  return [`tensor: ${result}`];
};

const commandFileCase = (folder: string, seed: number, index: number): Promise<string[]> => {
  writeFileSync(join(folder, "model.onnx"), damaged(subjectOf(index).bytes, seed));
  return commandCase(folder, Math.floor(index / kinds.length));
};

const commandDataCase = (folder: string, seed: number, index: number): Promise<string[]> => {
  const file = dataFiles[Math.floor(index / kinds.length) % dataFiles.length];
  return dataCase(folder, { ...file, bytes: damaged(file.bytes, seed) });
};

const kinds = [
  memoryCase,
  fileCase,
  externalCase,
  commandFileCase,
  tensorCase,
  senselessCase,
  commandDataCase,
  senselessCommandCase,
  memoryCase,
  senselessCase,
] as const;

/**
 * One damaged file of many kinds, read and taken through everything. Returns what came of each step. Throws where a
 * step throws anything but an EspalierError, or writes a file that it should not.
 */
export const runCase = async (seed: number, index: number, folder: string): Promise<string[]> => {
  mkdirSync(folder);
  try {
    return await kinds[index % kinds.length](folder, seed + index, index);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

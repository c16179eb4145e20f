import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { type Feeds, type Tensor, tensor } from "@espalier/core";
import { tinyLstm, tinyMlp } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { floats, npzBytes } from "../../test/npz-bytes.ts";
import { temporaryFolder } from "../../test/temporary-folder.ts";
import { openData } from "./open-data.ts";
import { spool } from "./spool.ts";

const folder = temporaryFolder();
/** x: float32 [batch, 24] */
const { model } = tinyMlp();

let modules = 0;
/** Writes a module under a new name, for Node loads each name once. */
const module = (text: string): string => {
  const name = `data-${modules++}.mjs`;
  writeFileSync(folder.at(name), text);
  return name;
};
const open = (file: string) => openData(file, folder.at(), model);
const refusal = (file: string) =>
  open(file).then(
    () => "no error",
    (error) => `${error.code} ${error.message}`,
  );
const collect = async (feeds: AsyncIterable<Feeds> | Iterable<Feeds>) => {
  const all: Feeds[] = [];
  for await (const feed of feeds) all.push(feed);
  return all;
};
const FEED = '{ x: { type: "float32", dims: [1, 24], data: new Float32Array(24).fill(i) } }';
const firsts = async (file: string) => {
  const data = await open(file);
  const pass = async () => (await collect(data.calibration())).map(({ x }) => x.data[0]);
  const both = [await pass(), await pass()];
  await data.close();
  return both;
};

describe("a data module", () => {
  const twice = [
    [0, 1, 2],
    [0, 1, 2],
  ];
  it("gives the samples of its function on every pass", async () => {
    expect(
      await firsts(module(`export async function* calibration() { for (let i = 0; i < 3; i++) yield ${FEED}; }`)),
    ).toEqual(twice);
    expect(await firsts(module(`export const calibration = async () => [0, 1, 2].map((i) => (${FEED}));`))).toEqual(
      twice,
    );
  });

  it("may export a list, or an iterable that can be read once", async () => {
    expect(await firsts(module(`export const calibration = [0, 1, 2].map((i) => (${FEED}));`))).toEqual(twice);
    expect(
      await firsts(
        module(
          `async function* once() { for (let i = 0; i < 3; i++) yield ${FEED}; }\nexport const calibration = once();`,
        ),
      ),
    ).toEqual(twice);
  });

  it("evaluates with feeds that were checked", async () => {
    const data = await open(
      module(`export const calibration = [0].map((i) => (${FEED}));
      export const evaluate = async (run) => {
        const outputs = await run({ x: { type: "float32", dims: [2, 24], data: new Float32Array(48) } });
        return { first: { value: outputs.y.data[0], better: "higher" } };
      };`),
    );
    const run = async (feeds: Feeds) => ({ y: tensor("float32", [1], Float32Array.of(feeds.x.dims[0])) as Tensor });
    expect(await data.evaluate?.(run)).toEqual({ first: { value: 2, better: "higher" } });
  });

  const evaluation = (body: string) =>
    `export const calibration = [0].map((i) => (${FEED}));\nexport const evaluate = ${body};`;
  const evaluations: readonly (readonly [string, string, RegExp])[] = [
    ["throws", "async () => { throw new Error('no labels'); }", /threw in `evaluate`: no labels\./],
    ["returns nothing", "() => undefined", /no metrics/],
    ["leaves better out", "() => ({ cer: { value: 1 } })", /"cer" from `evaluate` without value or better/],
    ["feeds a wrong name", "(run) => run({ y: 1 })", /has "y" in `evaluate`, which is no input/],
  ];
  for (const [what, body, message] of evaluations) {
    it(`whose evaluate ${what} is told so`, async () => {
      const data = await open(module(evaluation(body)));
      const found = await data.evaluate!(async () => ({})).catch((error) => `${error.code} ${error.message}`);
      expect(found).toMatch(/^BAD_DATA/);
      expect(found).toMatch(message);
    });
  }

  const bad: readonly (readonly [string, string, RegExp])[] = [
    ["throws when it is loaded", "throw new Error('nothing here');", /could not be loaded: nothing here\./],
    ["is no JavaScript", "export const = ;", /could not be loaded/],
    ["exports nothing", "", /exports nothing, and no function `calibration`/],
    ["exports another name", "export const calibrate = [];", /exports "calibrate".*Is "calibrate" meant\?/],
    ["has no samples", "export const calibration = [];", /has no samples/],
    [
      "throws in calibration",
      "export function calibration() { throw new Error('no file'); }",
      /threw in `calibration`: no file\./,
    ],
    [
      "throws between samples",
      `export function* calibration() { throw new Error('disk'); }`,
      /threw while it made sample 0: disk\./,
    ],
    ["returns a number", "export const calibration = () => 3;", /returns number from `calibration`/],
    [
      "gives an array as a feed's tensor",
      "export const calibration = [{ x: [1, 2] }];",
      /gives no tensor for input "x" in sample 0/,
    ],
    ["gives null", "export const calibration = [null];", /gives null in sample 0 instead of feeds/],
    [
      "gives int64 as numbers",
      `export const calibration = [{ x: { type: "int64", dims: [1], data: [1] } }];`,
      /gives int64 for input "x" in sample 0, and the model takes float32 \[batch, 24\]/,
    ],
    [
      "gives plain numbers",
      `export const calibration = [{ x: { type: "float32", dims: [1, 24], data: [1] } }];`,
      /data of class Array for input "x".*Give a Float32Array/,
    ],
    [
      "gives too few values",
      `export const calibration = [{ x: { type: "float32", dims: [1, 24], data: new Float32Array(3) } }];`,
      /gives 3 values for input "x".*which hold 24/,
    ],
    [
      "gives a wrong length",
      `export const calibration = [{ x: { type: "float32", dims: [1, 23], data: new Float32Array(23) } }];`,
      /axis 1 must be 24/,
    ],
    [
      "exports evaluate that is no function",
      `export const calibration = [0].map((i) => (${FEED})); export const evaluate = 3;`,
      /exports number as `evaluate`/,
    ],
  ];
  for (const [what, text, message] of bad) {
    it(`that ${what} is refused`, async () => {
      const found = await refusal(module(text));
      expect(found).toMatch(/^BAD_DATA \[cli\/data\] "data-\d+.mjs"/);
      expect(found).toMatch(message);
    });
  }

  it("that hands out one generator twice is refused on the second pass", async () => {
    const file = module(
      `const once = (function* () { for (let i = 0; i < 3; i++) yield ${FEED}; })();\nexport const calibration = () => once;`,
    );
    const data = await open(file);
    await expect(collect(data.calibration())).rejects.toThrow(/none when it was called again/);
  });
});

describe("a folder", () => {
  const lstm = tinyLstm();
  const set = (name: string, fill: number) => {
    mkdirSync(folder.at(name));
    // TensorProto: dims 5, 1, 8; data_type 1; raw_data
    const raw = Float32Array.from({ length: 40 }, () => fill);
    const head = [0x08, 5, 0x08, 1, 0x08, 8, 0x10, 1, 0x4a, 0xa0, 0x01];
    writeFileSync(folder.at(name, "input_0.pb"), Buffer.concat([Buffer.from(head), Buffer.from(raw.buffer)]));
  };
  const valuesOf = async (path: string, of = lstm.model) => {
    const data = await openData(path, folder.at(), of);
    return (await collect(data.calibration())).map(({ x }) => x.data[0]);
  };

  it("of test_data_set_N gives them in the order of N", async () => {
    for (const n of [10, 2, 0]) set(`test_data_set_${n}`, n);
    expect(await valuesOf(".")).toEqual([0, 2, 10]);
    expect(await valuesOf("test_data_set_2")).toEqual([2]);
  });

  it("of .npz files gives one feed for each, in the order of their numbers", async () => {
    for (const n of [10, 9]) writeFileSync(folder.at(`s${n}.npz`), npzBytes({ x: floats([1, 24], Array(24).fill(n)) }));
    expect(await valuesOf(".", model)).toEqual([9, 10]);
  });

  it("without data, with too many inputs or with a damaged tensor is refused by name", async () => {
    mkdirSync(folder.at("empty"));
    expect(await refusal("empty")).toMatch(/^BAD_DATA.*"empty" is a folder without data/);
    set("test_data_set_0", 1);
    writeFileSync(folder.at("test_data_set_0", "input_1.pb"), "");
    expect(await refusal(".")).toMatch(
      /^BAD_DATA.*"test_data_set_0\/input_1.pb" is input 1, and the model has 1 inputs/,
    );
    writeFileSync(folder.at("test_data_set_0", "input_0.pb"), Buffer.from([0x0a, 0xff]));
    expect(await refusal(".")).toMatch(/^BAD_DATA.*"test_data_set_0\/input_0.pb" holds no tensor/);
  });
});

it("data that is not there, or of another kind, is refused", async () => {
  expect(await refusal("nowhere.npz")).toMatch(/^BAD_DATA.*"nowhere.npz" is not there/);
  writeFileSync(folder.at("data.csv"), "1,2");
  expect(await refusal("data.csv")).toMatch(/^BAD_DATA.*"data.csv" is no data that can be read/);
});

describe("spool", () => {
  it("gives back every type, and leaves no file behind even while it is open", async () => {
    const feeds: Feeds[] = [
      { a: tensor("int64", [2], BigInt64Array.of(1n, -2n)), b: tensor("string", [2], ["é", ""]) },
      { a: tensor("float16", [3], Uint16Array.of(1, 2, 3)), b: tensor("bool", [0], new Uint8Array()) },
    ];
    const usual = process.env.TMPDIR;
    process.env.TMPDIR = folder.at();
    const spooled = await spool(feeds).finally(() => {
      if (usual === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = usual;
    });
    expect(readdirSync(folder.at())).toEqual([]);
    expect(await collect(spooled.read())).toEqual(feeds);
    expect(await collect(spooled.read())).toEqual(feeds);
    await spooled.close();
  });
});

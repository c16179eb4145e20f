import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Feeds, sizeOf } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { floats, npzBytes } from "../../test/npz-bytes.ts";
import { temporaryFolder } from "../../test/temporary-folder.ts";
import type { InputSpec } from "./model-inputs.ts";
import { npzFeed, npzSamples } from "./npz.ts";
import { npzArrays } from "./npz-array.ts";

const golden = (name: string) => fileURLToPath(new URL(`../../test/golden/${name}`, import.meta.url));
const folder = temporaryFolder();

const x: InputSpec = { name: "x", type: "float32", shape: ["batch", 2], optional: false };
const collect = async (feeds: AsyncIterable<Feeds>) => {
  const all: Feeds[] = [];
  for await (const feed of feeds) all.push(feed);
  return all;
};
const samplesOf = async (bytes: Uint8Array, inputs: readonly InputSpec[] = [x]) => {
  writeFileSync(folder.at("calib.npz"), bytes);
  return collect((await npzSamples(folder.at("calib.npz"), "calib.npz", inputs))());
};
const messageOf = async (bytes: Uint8Array, inputs: readonly InputSpec[] = [x]) =>
  samplesOf(bytes, inputs).then(
    () => "no error",
    (error) => `${error.code} ${error.message}`,
  );

describe("numpy's own files", () => {
  const half = [0, 0x3c00, 0x4000, 0x4200];
  for (const name of ["arrays.npz", "arrays-compressed.npz"]) {
    it(`${name}: every type, both orders of axes and of bytes come as 0, 1, 2 … in row-major order`, async () => {
      const arrays = await npzArrays(golden(name), name);
      const inputs = arrays.map(({ name: of }): InputSpec => ({ name: of, optional: false }));
      const feeds = await npzFeed(golden(name), name, inputs);
      for (const [key, { type, dims, data }] of Object.entries(feeds)) {
        if (key === "text" || key === "scalar") continue;
        expect(dims, key).toEqual([3, 2, 4]);
        const values = type === "complex64" ? [...data].filter((_, i) => i % 2 === 0) : [...data];
        expect(values).toHaveLength(sizeOf(dims));
        if (type === "float16") expect(values.slice(0, half.length)).toEqual(half);
        else expect(values.map(Number), key).toEqual(values.map((_, i) => (type === "bool" ? i % 2 : i)));
      }
      expect(feeds.text).toEqual({ type: "string", dims: [2, 2], data: ["zero", "naïve", "", "日本"] });
      expect(feeds.scalar).toEqual({ type: "int64", dims: [], data: BigInt64Array.of(16000n) });
      expect(Object.keys(feeds)).toHaveLength(18);
    });
  }
});

describe("samples", () => {
  it("keep the first axis where the model has it, and lose it where the model does not", async () => {
    const array = { x: floats([3, 2], [0, 1, 2, 3, 4, 5]) };
    expect((await samplesOf(npzBytes(array))).map(({ x: { dims, data } }) => [dims, [...data]])).toEqual([
      [
        [1, 2],
        [0, 1],
      ],
      [
        [1, 2],
        [2, 3],
      ],
      [
        [1, 2],
        [4, 5],
      ],
    ]);
    expect((await samplesOf(npzBytes(array), [{ ...x, shape: [2] }])).map(({ x: { dims } }) => dims)).toEqual([
      [2],
      [2],
      [2],
    ]);
  });

  it("come as many at a time as the model's fixed batch, and the rest is refused", async () => {
    const batch = [{ ...x, shape: [2, 2] }];
    const four = await samplesOf(npzBytes({ x: floats([4, 2], [0, 1, 2, 3, 4, 5, 6, 7]) }), batch);
    expect(four.map(({ x: { dims, data } }) => [dims, [...data]])).toEqual([
      [
        [2, 2],
        [0, 1, 2, 3],
      ],
      [
        [2, 2],
        [4, 5, 6, 7],
      ],
    ]);
    expect(await messageOf(npzBytes({ x: floats([3, 2], [0, 1, 2, 3, 4, 5]) }), batch)).toBe(
      'BAD_DATA [cli/data] "calib.npz" has 3 samples for input "x", and the model takes 2 at a time. Give a multiple of 2.',
    );
  });

  it("of a column-major array are rows of its first axis", async () => {
    const columns = { ...floats([3, 2], [0, 2, 4, 1, 3, 5]), fortran: true };
    const all = await samplesOf(npzBytes({ x: columns }));
    expect(all.map((feed) => [...feed.x.data])).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
  });

  it("share an array without axes", async () => {
    const sr: InputSpec = { name: "sr", type: "int64", shape: [], optional: false };
    const rate = { descr: "<i8", shape: [], data: BigInt64Array.of(16000n) };
    const all = await samplesOf(npzBytes({ x: floats([2, 2], [0, 1, 2, 3]), sr: rate }), [x, sr]);
    expect(all.map((feed) => feed.sr.data)).toEqual([BigInt64Array.of(16000n), BigInt64Array.of(16000n)]);
  });

  it("are found under names of inputs that look like paths", async () => {
    const name = "/encoder/../x";
    expect(await samplesOf(npzBytes({ [name]: floats([1, 2], [0, 1]) }), [{ ...x, name }])).toHaveLength(1);
  });

  it("can be read again, and a reader that stops early leaves nothing open", async () => {
    writeFileSync(folder.at("calib.npz"), npzBytes({ x: floats([3, 2], [0, 1, 2, 3, 4, 5]) }, { level: 6 }));
    const samples = await npzSamples(folder.at("calib.npz"), "calib.npz", [x]);
    for await (const _ of samples()) break;
    expect(await collect(samples())).toEqual(await collect(samples()));
    expect(await collect(samples())).toHaveLength(3);
  });
});

describe("bad archives are refused by name, with what to do", () => {
  const good = () => npzBytes({ x: floats([2, 2], [0, 1, 2, 3]) }, { level: 6 });
  const cases: readonly (readonly [what: string, bytes: () => Uint8Array, message: RegExp, inputs?: InputSpec[]])[] = [
    ["no zip", () => Buffer.from("\x89PNG not a zip at all, long enough for an end"), /no zip archive/],
    ["zero bytes", () => new Uint8Array(), /no zip archive/],
    ["cut off at the end", () => good().slice(0, -30), /cut off/],
    ["cut off in front", () => good().slice(30), /cut off|damaged/],
    ["a wrong name", () => npzBytes({ xs: floats([2, 2], [0, 1, 2, 3]) }), /"xs".*no input.*mean "x"/],
    ["a missing input", () => npzBytes({}), /nothing for input "x" \(float32 \[batch, 2\]\)/],
    [
      "a wrong type",
      () => npzBytes({ x: { descr: "<f8", shape: [2, 2], data: new Float64Array(4) } }),
      /float64 for input "x".*Convert the data to float32/,
    ],
    [
      "a wrong length",
      () => npzBytes({ x: floats([2, 3], [0, 1, 2, 3, 4, 5]) }),
      /dims \[1, 3\] for input "x": axis 1 must be 2/,
    ],
    ["a wrong rank", () => npzBytes({ x: floats([2, 1, 1, 2], [0, 1, 2, 3]) }), /input "x": the model takes 2 axes/],
    ["no samples", () => npzBytes({ x: floats([0, 2], []) }), /no samples for input "x"/],
    [
      "Python objects",
      () => npzBytes({ x: { descr: "|O", shape: [2, 2], data: new Uint8Array(64) } }),
      /"x", which is of a type that no model takes/,
    ],
    [
      "data shorter than the shape",
      () => npzBytes({ x: floats([4, 2], [0, 1, 2, 3]) }),
      /"x" with \d+ bytes, and \[4, 2\] takes/,
    ],
    [
      "a file that is no array",
      () => npzBytes({ x: { descr: "|u1", shape: [1], data: new Uint8Array(1) } }).map((b) => (b === 0x93 ? 0 : b)),
      /no .npy array|damaged/,
    ],
    [
      "different numbers of samples",
      () => npzBytes({ x: floats([2, 2], [0, 1, 2, 3]), y: floats([3, 2], [0, 1, 2, 3, 4, 5]) }),
      /2 samples for input "x" and 3 for "y"/,
      [x, { ...x, name: "y" }],
    ],
  ];
  for (const [what, bytes, message, inputs] of cases) {
    it(what, async () => {
      const found = await messageOf(bytes(), inputs);
      expect(found).toMatch(message);
      expect(found).toMatch(/^BAD_DATA \[cli\/data\] "calib.npz"/);
      expect(found).toMatch(/(Write|Give|Save|Convert|Reshape|inputs of the model).*$/);
    });
  }

  /** With a byte of the directory's entry changed: `at` counts from its signature. */
  const marked = (at: number, value: number) => {
    const bytes = good();
    bytes[Buffer.from(bytes).indexOf("PK\x01\x02", 0, "latin1") + at] = value;
    return bytes;
  };

  it("an encrypted entry, and one of an unknown method", async () => {
    expect(await messageOf(marked(8, 1))).toMatch(/BAD_DATA.*"x.npy" encrypted or compressed by method 8\. Use numpy/);
    expect(await messageOf(marked(10, 93))).toMatch(/BAD_DATA.*"x.npy" encrypted or compressed by method 93\. Use/);
  });

  it("a flipped bit in stored numbers, by the checksum", async () => {
    const bytes = npzBytes({ x: floats([2, 2], [1, 2, 3, 4]) });
    const at = Buffer.from(bytes).indexOf(Buffer.from(Float32Array.of(3).buffer));
    bytes[at] ^= 1;
    expect(await messageOf(bytes)).toMatch(/BAD_DATA.*"x.npy" damaged/);
  });
});

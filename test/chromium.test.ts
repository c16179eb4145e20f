import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Model, readOnnx } from "@espalier/core";
import * as node from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { realModels } from "../packages/core/test/real-models.ts";
import {
  calibrated,
  compressed,
  largestConstant,
  type ModelName,
  outputsOf,
  type PassName,
  passNames,
  sha256,
} from "./browser/compressed.ts";
import type * as pageModule from "./browser/page.ts";
import { type ChromiumPage, inChromium, openPage, withoutChromium } from "./chromium.ts";

web.env.wasm.numThreads = 1;
const names: readonly ModelName[] = ["classifier", "recogniser"];
const bytesOf = (name: ModelName) => new Uint8Array(readFileSync(realModels[name]));
const modelOf = (name: ModelName): Model => readOnnx(bytesOf(name));

/** Each file is made once. */
const files = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();
const fileOf = (name: ModelName, pass: PassName) => {
  const made = files.get(`${name} ${pass}`) ?? compressed(modelOf(name), pass);
  files.set(`${name} ${pass}`, made);
  return made;
};

/** Of the recogniser's file: the graph, small constants and what lies between may be read to open it. */
const OPENING_SHARE = 0.1;
/** Of the largest output. Both runtimes compute in float32, in different orders. */
const FLOAT_BOUND = 1e-5;
/** Where activations are rounded to 256 codes while it runs, that difference takes a few of them to the next code. */
const DYNAMIC_BOUND = 5e-3;
const boundOf = (pass: PassName) => (pass === "dynamicInt8" ? DYNAMIC_BOUND : FLOAT_BOUND);

const largestDifference = (expected: readonly number[], found: readonly number[]) => {
  expect(found.length).toBe(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i])), 0) / largest;
};

describe.skipIf(withoutChromium)(inChromium("in a page of Chromium"), () => {
  let page: ChromiumPage<typeof pageModule>;
  beforeAll(async () => {
    page = await openPage({
      entry: fileURLToPath(new URL("browser/page.ts", import.meta.url)),
      routes: Object.fromEntries(names.map((name) => [`/models/${name}.onnx`, realModels[name]])),
    });
  });
  afterAll(() => page?.close());

  it("core and quant load: node: modules are only imported by functions that Node calls", () => {
    const imports = Object.values(page.bundle.inputs).flatMap((input) => input.imports);
    const ofNode = imports.filter(({ path }) => path.startsWith("node:"));
    expect(ofNode.length).toBeGreaterThan(0);
    expect(ofNode.filter(({ kind }) => kind !== "dynamic-import")).toEqual([]);
    expect(page.errors).toEqual([]);
  });

  it.each(names)("every pass without data makes the same bytes of the %s as in Node", async (name) => {
    const here: Record<string, string> = {};
    for (const pass of passNames) here[pass] = await sha256(await fileOf(name, pass));
    expect(await page.call("hashes", name, passNames)).toEqual(here);
  });

  it.each(names)("staticInt8 calibrated in onnxruntime-web makes the same bytes of the %s as in Node", async (name) => {
    const here = await sha256(await calibrated(modelOf(name), name, web));
    expect(await page.call("calibratedHash", name)).toBe(here);
  });

  it.each(names.flatMap((name) => passNames.map((pass) => [name, pass, boundOf(pass)] as const)))(
    "the %s after %s runs in onnxruntime-web, its outputs within %d of onnxruntime-node's",
    async (name, pass, bound) => {
      const file = await fileOf(name, pass);
      page.serve("/written.onnx", file);
      const found = await page.call("run", "/written.onnx", name);
      const expected = await outputsOf(readOnnx(file), name, node);
      expect(largestDifference(expected, found)).toBeLessThanOrEqual(bound);
    },
  );

  describe("openModel", () => {
    let expected: { nodes: number; bytes: number; hash: string };
    const size = bytesOf("recogniser").length;
    const seen = ({ nodes, bytes, hash }: pageModule.Opened) => ({ nodes, bytes, hash });
    beforeAll(async () => {
      const model = modelOf("recogniser");
      const bytes = await largestConstant(model);
      expected = { nodes: model.graph.nodes.length, bytes: bytes.length, hash: await sha256(bytes) };
    });

    it(`reads less than ${OPENING_SHARE} of a File that the user chose, then only the constant asked for`, async () => {
      await page.browser.setInputFiles("input", realModels.recogniser);
      const found = await page.call("openFile");
      expect(seen(found)).toEqual(expected);
      expect(found.opening).toBeLessThan(OPENING_SHARE * size);
      expect(found.reading).toBe(expected.bytes);
    });

    it(`reads less than ${OPENING_SHARE} of a Blob, then only the constant asked for`, async () => {
      const found = await page.call("openBlobOf", "/models/recogniser.onnx");
      expect(seen(found)).toEqual(expected);
      expect(found.opening).toBeLessThan(OPENING_SHARE * size);
      expect(found.reading).toBe(expected.bytes);
    });

    it(`fetches less than ${OPENING_SHARE} of a URL by ranges, then only the constant asked for`, async () => {
      const before = page.served.length;
      expect(seen(await page.call("openUrl", "/models/recogniser.onnx"))).toEqual(expected);
      const served = page.served.slice(before);
      const bytes = served.reduce((sum, request) => sum + request.bytes, 0);
      expect(served.every(({ range }) => range !== undefined)).toBe(true);
      expect(bytes - expected.bytes).toBeGreaterThan(0);
      expect(bytes - expected.bytes).toBeLessThan(OPENING_SHARE * size);
    });

    it("fetches a URL once and whole where the server knows no ranges", async () => {
      const before = page.served.length;
      expect(seen(await page.call("openUrl", "/models/recogniser.onnx?whole"))).toEqual(expected);
      expect(page.served.slice(before).map(({ bytes }) => bytes)).toEqual([size]);
    });

    it("reads a Uint8Array", async () => {
      expect(seen(await page.call("openBytes", "/models/recogniser.onnx"))).toEqual(expected);
    });
  });
});

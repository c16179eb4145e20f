import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeNode } from "../attrs.ts";
import type { Model } from "../model.ts";
import { readData, type Tensor, tensor } from "../tensor.ts";
import { openModel } from "./open.ts";
import { saveModel } from "./save.ts";
import { modelParts } from "./write.ts";

const ROWS = 2048;
const WIDTH = 1024;
const TENSOR_BYTES = ROWS * WIDTH * 4;
const TENSORS = 270;
const TOTAL_BYTES = TENSORS * TENSOR_BYTES;
const MAX_GROWTH_BYTES = 150e6;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "espalier-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tables = (weights: ReadonlyMap<string, Tensor>): Model => ({
  irVersion: 9,
  opsets: new Map([["", 17]]),
  graph: {
    name: "large",
    nodes: [...weights.keys()].map((name) => makeNode("Gather", [name, "i"], [`row_${name}`])),
    inputs: [{ name: "i", type: { kind: "tensor", type: "int64", shape: [1] } }],
    outputs: [...weights.keys()].map((name) => ({ name: `row_${name}` })),
    values: [],
    weights,
    sparseWeights: [],
  },
  functions: [],
  metadata: new Map(),
});

/** A model whose data file is a hole, but for the last three values. */
const writeSparse = (): string => {
  const one = tensor("float32", [ROWS, WIDTH], new Float32Array(ROWS * WIDTH));
  const weights = new Map(Array.from({ length: TENSORS }, (_, i) => [`w${i}`, one] as const));
  let placed = 0;
  const place = () => ({ location: "large.onnx_data", offset: TENSOR_BYTES * placed++ });
  writeFileSync(join(folder, "large.onnx"), Buffer.concat(modelParts(tables(weights), place) as Uint8Array[]));
  const data = openSync(join(folder, "large.onnx_data"), "w");
  ftruncateSync(data, TOTAL_BYTES);
  const tail = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
  writeSync(data, tail, 0, tail.length, TOTAL_BYTES - tail.length);
  closeSync(data);
  return join(folder, "large.onnx");
};

const MEGABYTES_SHOWN = MAX_GROWTH_BYTES / 1e6;
/** It writes 2.26 GB, which a busy disk may take its time for. */
const TIMEOUT = 300_000;
const peak = () => process.resourceUsage().maxRSS * 1024;

it(
  `a model of 2.26 GB is opened, and written in two chunks, while the peak of memory grows by less than ${MEGABYTES_SHOWN} MB`,
  async () => {
    const path = writeSparse();
    const before = peak();
    const model = await openModel(path);
    const last = await readData(model.graph.weights.get(`w${TENSORS - 1}`)!);
    expect([...(last as Float32Array).slice(-4)]).toEqual([0, 1, 2, 3]);
    const saved = await saveModel(model, join(folder, "copy.onnx"));
    expect(peak() - before).toBeLessThan(MAX_GROWTH_BYTES);
    expect(saved.files.map((file) => file.slice(folder.length + 1))).toEqual([
      "copy.onnx",
      "copy.onnx_data",
      "copy.onnx_data_1",
    ]);
    expect(statSync(saved.files[1]).size + statSync(saved.files[2]).size).toBe(TOTAL_BYTES);
    const copied = (await openModel(saved.path)).graph.weights.get(`w${TENSORS - 1}`)!;
    expect([...((await readData(copied)) as Float32Array).slice(-4)]).toEqual([0, 1, 2, 3]);
  },
  TIMEOUT,
);

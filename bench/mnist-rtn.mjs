// Rounding to nearest of small nets on real digits, weights only, one scale a channel:
// node bench/mnist-rtn.mjs [FOLDER]. Accuracy on the 1,996 test digits, for scales of the extreme (absmax) and for the
// best of 80 factors of it (mse). The folder has lenet-300-100.onnx, lenet-5.onnx and resnet-folded.onnx.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { floatValues, layers, readOnnx, tensor, writeOnnx } from "@espalier/core";
import ort from "onnxruntime-node";
import { dequantizeRows, quantizeRows } from "../packages/quant/dist/index.js";

const folder = process.argv[2] ?? join(process.env.ESPALIER_MODELS ?? ".", "mnist");
const PIXELS = 784;
const FACTORS = 80;
const [LEAST, MOST, MOST_OF_TWO_BITS] = [0.2, 1.2, 1];

/** The test digits: every fifth of each digit. */
const digits = async () => {
  const root = dirname(createRequire(import.meta.url).resolve("mnist/package.json"));
  const [images, labels] = [[], []];
  for (let digit = 0; digit < 10; digit++) {
    const { data } = JSON.parse(await readFile(join(root, "src/digits", `${digit}.json`), "utf8"));
    for (let k = 4; (k + 1) * PIXELS <= data.length; k += 5) {
      images.push(Float32Array.from(data.slice(k * PIXELS, (k + 1) * PIXELS)));
      labels.push(digit);
    }
  }
  return { images, labels };
};

/** The grid with codes of all 2^bits levels for scales that are given. */
const withScales = (w, grid, scales) => {
  const middle = 2 ** (grid.bits - 1);
  const codes = new Uint8Array(w.length);
  w.forEach((x, i) => {
    const exact = Math.fround(x / scales[Math.floor(i / grid.columns)]);
    const down = Math.floor(exact);
    const rest = exact - down;
    const q = rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
    codes[i] = Math.max(0, Math.min(2 * middle - 1, q + middle));
  });
  return { ...grid, codes, scales };
};

const rowErrors = (w, { rows, columns }, back) =>
  Float64Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++) sum += (w[i] - back[i]) ** 2;
    return sum;
  });

const rounded = (w, rows, columns, bits, how) => {
  const plain = quantizeRows(w, rows, columns, { bits, range: "narrow" });
  if (how === "absmax") return dequantizeRows(plain);
  const best = plain.scales.slice();
  const least = new Float64Array(rows).fill(Number.POSITIVE_INFINITY);
  const most = bits > 2 ? MOST : MOST_OF_TWO_BITS;
  for (let i = 0; i < FACTORS; i++) {
    const factor = Math.fround(LEAST + ((most - LEAST) * i) / (FACTORS - 1));
    const scales = plain.scales.map((scale) => scale * factor);
    rowErrors(w, plain, dequantizeRows(withScales(w, plain, scales))).forEach((error, row) => {
      if (error < least[row]) [least[row], best[row]] = [error, scales[row]];
    });
  }
  return dequantizeRows(withScales(w, plain, best));
};

const accuracy = async (model, { images, labels }) => {
  const session = await ort.InferenceSession.create(await writeOnnx(model));
  const flat = model.graph.inputs[0].type.shape.length === 2;
  const all = new Float32Array(images.length * PIXELS);
  images.forEach((image, i) => {
    all.set(image, i * PIXELS);
  });
  const dims = flat ? [images.length, PIXELS] : [images.length, 1, 28, 28];
  const { data } = (await session.run({ input: new ort.Tensor("float32", all, dims) })).logits;
  const right = labels.filter((label, i) => {
    const own = data.subarray(i * 10, i * 10 + 10);
    return own.indexOf(Math.max(...own)) === label;
  });
  return ((100 * right.length) / labels.length).toFixed(4);
};

const test = await digits();
for (const name of ["lenet-300-100", "lenet-5", "resnet-folded"]) {
  const model = readOnnx(new Uint8Array(await readFile(join(folder, `${name}.onnx`))));
  for (const bits of [8, 4, 3, 2])
    for (const how of ["absmax", "mse"]) {
      const weights = new Map(model.graph.weights);
      for (const { weight } of layers(model)) {
        const values = await floatValues(weight.tensor);
        const [rows] = weight.tensor.dims;
        const back = rounded(values, rows, values.length / rows, bits, how);
        weights.set(weight.name, tensor("float32", weight.tensor.dims, back));
      }
      const made = { ...model, graph: { ...model.graph, weights } };
      console.log(`${name} W${bits} ${how}: ${await accuracy(made, test)} %`);
    }
}

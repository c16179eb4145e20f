import type { InspectedLayer, InspectedValue, Inspection } from "../inspection.ts";
import { bytes, count, dims, percent } from "./format.ts";
import type { Paper } from "./paper.ts";
import { schemeTable } from "./scheme-table.ts";
import { table, widthOf } from "./table.ts";

const SHOWN_VALUES = 6;
const SHOWN_LAYERS = 10;
const SHOWN_SHARES = 5;

const valueRows = (name: string, list: readonly InspectedValue[]): string[][] => {
  const rows = list
    .slice(0, SHOWN_VALUES)
    .map(({ name: value, type, shape }, i) => [i === 0 ? name : "", value, type ?? "", shape ? dims(shape) : ""]);
  const more = list.length - rows.length;
  return more > 0 ? [...rows, ["", `and ${count(more)} more`, "", ""]] : rows;
};

const shares = (of: Readonly<Record<string, number>>, whole: number): string[][] => {
  const all = Object.entries(of).sort(([, a], [, b]) => b - a);
  const rest = all.slice(SHOWN_SHARES).reduce((sum, [, size]) => sum + size, 0);
  const shown: [string, number][] = rest > 0 ? [...all.slice(0, SHOWN_SHARES), ["others", rest]] : all;
  return shown.map(([name, size]) => [name, bytes(size), percent(size / whole)]);
};

const byKind = (layers: readonly InspectedLayer[]) => {
  const kinds: Record<string, number> = {};
  for (const { kind, bytes: size } of layers) kinds[kind] = (kinds[kind] ?? 0) + size;
  return kinds;
};

/** As many of three lists side by side as the paper is wide. */
const whereBytesAre = ({ bytes: whole, byType, byOperator, layers }: Inspection, paper: Paper): string => {
  const lists = Object.entries({ type: byType, operator: byOperator, "kind of layer": byKind(layers) });
  const beside = (shown: typeof lists): string => {
    const cells = shown.map(([, of]) => shares(of, whole));
    const rows = Array.from({ length: Math.max(...cells.map((list) => list.length)) }, (_, i) =>
      cells.flatMap((list) => list[i] ?? ["", "", ""]),
    );
    const number = { head: "", align: "right" as const };
    const text = table(
      shown.flatMap(([head]) => [{ head }, number, number]),
      rows,
      paper,
    );
    return shown.length > 1 && widthOf(text) > paper.width ? beside(shown.slice(0, -1)) : text;
  };
  return beside(lists);
};

/** Bytes of the smallest scheme with so many bits that runs at float's speed or faster in onnxruntime-node. */
const smallest = ({ schemes }: InspectedLayer, bits: 8 | 4): string => {
  const fits = schemes.filter(
    ({ name, node }) =>
      / int(\d)|Int(\d)/.exec(name)?.slice(1).includes(String(bits)) && (node === "fast" || node === "same"),
  );
  return fits[0] ? bytes(fits[0].bytes) : "";
};

const largestLayers = (layers: readonly InspectedLayer[], paper: Paper): string => {
  const shown = [...layers].sort((a, b) => b.bytes - a.bytes).slice(0, SHOWN_LAYERS);
  const mixed = new Set(shown.map(({ dtype }) => dtype)).size > 1;
  const rows = shown.map((layer) => {
    const { name, op, dtype } = layer;
    return [name, op, dims(layer.dims), mixed ? dtype : "", bytes(layer.bytes), smallest(layer, 8), smallest(layer, 4)];
  });
  const columns = [
    { head: "layer", cut: "middle" as const },
    { head: "op" },
    { head: "[out, in, …]" },
    { head: "type" },
    { head: "bytes", align: "right" as const },
    { head: "in 8 bits", align: "right" as const },
    { head: "in 4 bits", align: "right" as const },
  ];
  return table(columns, rows, paper);
};

/** What `inspect` prints. */
export const inspectReport = (inspection: Inspection, file: string, paper: Paper): string => {
  const { bytes: whole, parameters, opset, irVersion, inputs, outputs, layers } = inspection;
  const title = (text: string, note = "") => `${paper.paint("bold", text)}${note && paper.paint("dim", `, ${note}`)}`;
  const facts = `${bytes(whole)}, ${count(parameters)} parameters, opset ${opset}, IR version ${irVersion}`;
  const values = [...valueRows("inputs", inputs), ...valueRows("outputs", outputs)];
  const some = layers.length > SHOWN_LAYERS ? `${SHOWN_LAYERS} of ${count(layers.length)}; ` : "";
  const parts = [
    `${paper.paint("bold", file)}\n${facts}`,
    table([{ head: "" }, { head: "", cut: "middle" }, { head: "" }, { head: "" }], values, paper),
    `${title("where the bytes are")}\n${whereBytesAre(inspection, paper)}`,
    layers.length === 0
      ? "No layer has float weights: there is nothing left to quantize."
      : `${title("largest layers", `${some}in 8 and 4 bits at float's speed in node`)}\n${largestLayers(layers, paper)}`,
    ...(layers.some(({ schemes }) => schemes.length > 0)
      ? [
          `${title("schemes that fit", "and what each runtime makes of them against float")}\n${schemeTable(layers, paper)}`,
        ]
      : []),
  ];
  return `${parts.join("\n\n")}\n`;
};

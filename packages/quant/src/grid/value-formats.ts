import type { Clip } from "./grid.ts";
import type { ValueGridOptions } from "./quantize-values.ts";
import { doubleScales, e4m3Scales, floatScales, powerScales } from "./scale-rules.ts";
import { E2M1, E4M3, E5M2, smallFloatValues } from "./small-float.ts";
import { FP4, FP4_BITSANDBYTES, NF4, type ValueTable, valueTable } from "./value-table.ts";

/** Names of the grids of given values. */
export type ValueFormat = "nf4" | "fp4" | "bnb-fp4" | "mxfp4" | "nvfp4" | "e4m3" | "e5m2";

/** The values of each format, by code. */
const formatValues: Readonly<Record<ValueFormat, Float32Array>> = {
  nf4: NF4,
  fp4: FP4,
  "bnb-fp4": FP4_BITSANDBYTES,
  mxfp4: smallFloatValues(E2M1),
  nvfp4: smallFloatValues(E2M1),
  e4m3: smallFloatValues(E4M3),
  e5m2: smallFloatValues(E5M2),
};

const tables = new Map<ValueFormat, ValueTable>();

const tableOf = (format: ValueFormat): ValueTable => {
  const table = tables.get(format) ?? valueTable(formatValues[format]);
  tables.set(format, table);
  return table;
};

export interface FormatOptions {
  readonly blockSize: number;
  readonly clip?: Clip | undefined;
  /** Scales that are floats: float16 or float32. */
  readonly half?: boolean;
  /** Scales that are floats, in 8 bits about their mean. */
  readonly doubleQuant?: boolean;
}

/** What `quantizeValues` needs for a format. */
export const formatOptions = (
  format: ValueFormat,
  { blockSize, clip = "none", half = false, doubleQuant = false }: FormatOptions,
): ValueGridOptions => {
  const table = tableOf(format);
  const { largest } = table;
  const rule = {
    mxfp4: () => powerScales(largest),
    nvfp4: (most: number) => e4m3Scales(largest, most),
    float: () => (doubleQuant ? doubleScales(largest) : floatScales(largest, half)),
  }[format === "mxfp4" || format === "nvfp4" ? format : "float"];
  return { table, bits: format === "e4m3" || format === "e5m2" ? 8 : 4, blockSize, rule, clip };
};

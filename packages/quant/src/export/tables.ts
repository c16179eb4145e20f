import { tensor } from "@espalier/core";
import type { Names, Piece } from "./piece.ts";
import { halfPays, storeFloats } from "./scales.ts";

/** A table of floats that the pieces of a model share. */
interface SharedTable {
  readonly name: string;
  readonly shared: Piece;
}

/** Tables by name, made when first asked for: each once for a model. */
export type SharedTables = (
  name: string,
  make: () => { readonly dims: readonly number[]; readonly values: Float32Array },
) => SharedTable;

export const sharedTables = (fresh: Names): SharedTables => {
  const made = new Map<string, SharedTable>();
  return (base, make) => {
    const known = made.get(base);
    if (known) return known;
    const { dims, values } = make();
    const name = fresh(base);
    // float16 where it holds every value exactly
    const half = halfPays(values, name) && exactInHalf(values);
    const { nodes, weights } = storeFloats(name, dims, values, half);
    const table = { name, shared: { nodes, weights: new Map(weights) } };
    made.set(base, table);
    return table;
  };
};

const HALF_FRACTION = 2 ** 10;

const exactInHalf = (values: Float32Array): boolean =>
  values.every((value) => {
    if (value === 0) return true;
    const exponent = Math.floor(Math.log2(Math.abs(value)));
    return Number.isInteger((value / 2 ** exponent) * HALF_FRACTION);
  });

/** A whole number as a constant of one element. */
export const whole = (value: number) => tensor("int64", [1], BigInt64Array.of(BigInt(value)));

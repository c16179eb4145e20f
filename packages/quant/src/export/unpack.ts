import { makeNode, type Node, type Tensor, tensor } from "@espalier/core";
import { type GridBits, middleOf } from "../grid/grid.ts";
import { packRows } from "../grid/pack.ts";
import { type Plane, planeCodes, planesOf } from "../grid/planes.ts";
import type { Names, Piece } from "./piece.ts";
import { castNode } from "./scales.ts";

const BYTES = 256;
const BYTE_BITS = 8;

/** A table that pieces share: what the codes in each byte of a plane stand for, [256, 8 / plane bits] float32. */
export interface Book {
  readonly name: string;
  readonly plane: Plane;
  readonly shared: Piece;
}

/** Row b holds what the codes of byte b stand for, low bits first. */
export const byteTable = ({ bits }: Plane, decode: (code: number) => number): Float32Array => {
  const perByte = BYTE_BITS / bits;
  const mask = 2 ** bits - 1;
  return Float32Array.from({ length: BYTES * perByte }, (_, i) =>
    decode((Math.floor(i / perByte) >> ((i % perByte) * bits)) & mask),
  );
};

/**
 * The tables that unpack integers of a width about their middle, one for each plane; their sum is code - 2^(bits - 1).
 * They are stored as int8 and cast to float32 once.
 */
export const integerBooks = (bits: GridBits, fresh: Names): readonly Book[] => {
  const planes = planesOf(bits);
  return planes.map((plane, i): Book => {
    const base = planes.length === 1 ? `unpack${bits}` : `unpack${bits}_${plane.bits}`;
    const [name, stored] = [fresh(base), fresh(`${base}_q`)];
    const middle = i === planes.length - 1 ? middleOf(bits) : 0;
    const table = Int8Array.from(byteTable(plane, (code) => (code << plane.shift) - middle));
    return {
      name,
      plane,
      shared: {
        nodes: [castNode(stored, name, "float32")],
        weights: new Map([[stored, tensor("int8", [BYTES, BYTE_BITS / plane.bits], table)]]),
      },
    };
  });
};

/** Codes as floats: the value that holds them, its dims, and what makes it. */
export interface Unpacked {
  readonly value: string;
  /** [rows, columns], or [rows, bytes of a row, codes of a byte] */
  readonly dims: readonly number[];
  readonly nodes: readonly Node[];
  readonly weights: readonly (readonly [string, Tensor])[];
}

/**
 * Codes unpacked by a gather from a table for each plane, and a sum.
 *
 * @param codes [rows, columns]; a row of each plane fills whole bytes
 */
export const unpacked = (
  codes: Uint8Array,
  [rows, columns]: readonly [number, number],
  books: readonly Book[],
  suffixed: Names,
): Unpacked => {
  const nodes: Node[] = [];
  const weights: (readonly [string, Tensor])[] = [];
  const parts = books.map(({ name, plane }) => {
    const [stored, index, value] = [suffixed("_q"), suffixed("_i"), suffixed("_f")];
    const own = books.length === 1 ? codes : planeCodes(codes, plane);
    const dims = [rows, (columns * plane.bits) / BYTE_BITS];
    weights.push([stored, tensor("uint8", dims, packRows(own, rows, columns, plane.bits))]);
    nodes.push(castNode(stored, index, "int32"), makeNode("Gather", [name, index], [value]));
    return { value, dims: [...dims, BYTE_BITS / plane.bits] };
  });
  if (parts.length === 1) return { ...parts[0]!, nodes, weights };
  const shape = suffixed("_p");
  weights.push([shape, tensor("int64", [2], BigInt64Array.of(BigInt(rows), BigInt(columns)))]);
  const flat = parts.map(({ value }) => {
    const even = suffixed("_e");
    nodes.push(makeNode("Reshape", [value, shape], [even]));
    return even;
  });
  const value = flat.reduce((sum, part) => {
    const next = suffixed("_u");
    nodes.push(makeNode("Add", [sum, part], [next]));
    return next;
  });
  return { value, dims: [rows, columns], nodes, weights };
};

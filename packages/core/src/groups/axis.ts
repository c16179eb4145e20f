import type { Stop, Term, Terms } from "./terms.ts";

/** One axis of a value. */
export interface Axis {
  /** A number, or the symbol of a length that only a run tells. */
  readonly length: number | string;
  /** What decides about each position; absent where none can be removed. */
  readonly units?: readonly Term[];
  /** Whether the value is 0 at a position that is masked. */
  readonly zero: boolean;
}

/** One number of a small integer tensor. */
export interface Element {
  readonly number: number | string;
  /** Axes whose length it tells. */
  readonly from: readonly Axis[];
}

/** What is known of a value. */
export interface Value {
  /** Absent where not even the rank is known. */
  readonly axes?: readonly Axis[];
  /** Of integer tensors of rank 0 and 1. */
  readonly elements?: readonly Element[];
  /** The few numbers of a small float constant. */
  readonly floats?: readonly number[];
  /** The weight that it is, maybe turned or reshaped. */
  readonly weight?: string;
}

export const plain = (length: number | string): Axis => ({ length, zero: false });

/** Whether positions of the axis can be told apart and removed. */
export const canLose = (axis: Axis): axis is Axis & { readonly units: readonly Term[] } =>
  axis.units !== undefined && typeof axis.length === "number";

/** Positions of a merged axis: those of the last axis count fastest. Undefined where a length is not known. */
export const mergeAxes = (axes: readonly Axis[]): Axis | undefined => {
  let units: readonly Term[] = [[]];
  for (const axis of axes) {
    const { length } = axis;
    if (typeof length !== "number") return undefined;
    const own = axis.units ?? Array.from({ length }, (): Term => []);
    units = units.flatMap((outer) =>
      own.map((inner) => (inner.length === 0 ? outer : [...new Set([...outer, ...inner])])),
    );
  }
  const moved = axes.filter((axis) => axis.units !== undefined);
  if (moved.length === 0) return plain(units.length);
  return { length: units.length, units, zero: moved.every(({ zero }) => zero) };
};

const common = (terms: readonly Term[]): Term =>
  terms.reduce((kept, term) => (kept.length === 0 ? kept : kept.filter((atom) => term.includes(atom))));

/** The axis as a product of axes of `lengths`; the last counts fastest. */
export const factorAxis = (terms: Terms, axis: Axis, lengths: readonly number[], stop: Stop): Axis[] => {
  if (axis.units === undefined) return lengths.map(plain);
  const wide = lengths.flatMap((length, i) => (length > 1 ? [i] : []));
  const out = lengths.map(plain);
  const put = (i: number, units: readonly Term[]) => {
    out[i] = { length: lengths[i], units, zero: axis.zero };
  };
  let rest: readonly Term[] = axis.units;
  for (const [at, i] of wide.entries()) {
    if (at === wide.length - 1) {
      put(i, rest);
      break;
    }
    const columns = rest.length / lengths[i];
    const [outer, inner] = factorTwo(terms, rest.map(terms.resolve), lengths[i], columns, stop);
    put(i, outer);
    rest = inner;
  }
  return out;
};

/** Terms A and B with A[i] ∨ B[j] = X[i, j]: what is common to rows and to columns where that does, else new atoms. */
const factorTwo = (
  terms: Terms,
  x: readonly Term[],
  rows: number,
  columns: number,
  stop: Stop,
): [readonly Term[], readonly Term[]] => {
  const a = Array.from({ length: rows }, (_, i) => common(x.slice(i * columns, (i + 1) * columns)));
  const b = Array.from({ length: columns }, (_, j) =>
    common(Array.from({ length: rows }, (_, i) => x[i * columns + j])),
  );
  const holds = x.every((term, at) => {
    const [outer, inner] = [a[Math.floor(at / columns)], b[at % columns]];
    return term.every((atom) => outer.includes(atom) || inner.includes(atom));
  });
  if (holds) return [a, b];
  const outer = Array.from({ length: rows }, (): Term => [terms.fresh()]);
  const inner = Array.from({ length: columns }, (): Term => [terms.fresh()]);
  for (const [at, term] of x.entries())
    terms.equate(term, [...outer[Math.floor(at / columns)], ...inner[at % columns]], stop);
  return [outer, inner];
};

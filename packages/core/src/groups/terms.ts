/** Why a position can never be removed. */
export interface Stop {
  /** Label of the node, or the graph input, that stops it. */
  readonly node: string;
  readonly reason: string;
  /** Stops that say nothing about the model: taps of kernels, rows of tables. They are not reported. */
  readonly silent?: true;
}

/**
 * What decides about one position of one axis: it is removed when any of these atoms is removed. The order is that of
 * the axes that made it, outer ones first; no atoms: it is never removed.
 */
export type Term = readonly number[];

/** Equations between terms, solved as they come. */
export interface Terms {
  fresh(): number;
  /** The term in atoms that no equation has replaced. */
  resolve(term: Term): Term;
  /** Makes two terms the same. Terms that were equal before stay equal. */
  equate(a: Term, b: Term, stop: Stop): void;
  /** Keeps every atom of a term. The first reason counts. */
  pin(term: Term, stop: Stop): void;
  stopOf(atom: number): Stop | undefined;
}

/**
 * A store of equations a₁ ∨ a₂ ∨ … = b₁ ∨ b₂ ∨ … . Each is solved at once by putting atoms in place of others, the
 * fewest that the order of the atoms suggests; putting sets in place of atoms keeps the equations that held before, so
 * that what is found is always safe, though it may tie more together than need be.
 */
export const createTerms = (): Terms => {
  const bound: (Term | undefined)[] = [];
  const stops: (Stop | undefined)[] = [];

  const resolve = (term: Term): Term => {
    if (term.every((atom) => bound[atom] === undefined)) return term;
    const out: number[] = [];
    for (const atom of term) {
      const target = bound[atom];
      const parts = target === undefined ? [atom] : resolve(target);
      if (target !== undefined) bound[atom] = parts;
      for (const part of parts) if (!out.includes(part)) out.push(part);
    }
    return out;
  };
  const pin = (term: Term, stop: Stop) => {
    for (const atom of resolve(term)) stops[atom] ??= stop;
  };
  const bind = (atom: number, term: Term) => {
    bound[atom] = term;
    const stop = stops[atom];
    if (stop) pin(term, stop);
  };
  /** `a` and `b` have no atom in common and are not empty. */
  const solve = (a: Term, b: Term) => {
    const [short, long] = a.length <= b.length ? [a, b] : [b, a];
    const last = short.length - 1;
    for (let i = 0; i < last; i++) unite(short[i], long[i]);
    const rest = resolve(long.slice(last));
    const left = resolve([short[last]]);
    if (left.length === 1 && rest.length === 1) {
      if (left[0] !== rest[0]) unite(left[0], rest[0]);
    } else if (left.length === 1 && !rest.includes(left[0])) bind(left[0], rest);
    else equate(left, rest);
  };
  const unite = (a: number, b: number) => {
    if (stops[a] && !stops[b]) bind(b, [a]);
    else bind(a, [b]);
  };
  const equate = (a: Term, b: Term, stop?: Stop) => {
    const [left, right] = [resolve(a), resolve(b)];
    const onlyLeft = left.filter((atom) => !right.includes(atom));
    const onlyRight = right.filter((atom) => !left.includes(atom));
    if (onlyLeft.length === 0 && onlyRight.length === 0) return;
    if (onlyLeft.length > 0 && onlyRight.length > 0) {
      solve(onlyLeft, onlyRight);
      return;
    }
    const [all, extra] = onlyLeft.length === 0 ? [left, onlyRight] : [right, onlyLeft];
    if (all.length === 0) {
      if (stop) pin(extra, stop);
    } else for (const atom of extra) bind(atom, all);
  };

  return {
    fresh: () => bound.push(undefined) - 1,
    resolve,
    equate,
    pin,
    stopOf: (atom) => stops[atom],
  };
};

import { sizeOf } from "../../tensor.ts";
import { type Call, type Operator, string, unsupported, x } from "../call.ts";
import type { Tf, TfTensor } from "../tf.ts";

const DOTS = "...";

/** Letters for the axes behind an ellipsis, from the end of the alphabet, which no equation uses up. */
const spelled = (term: string, rank: number, most: number): string => {
  if (!term.includes(DOTS)) return term;
  const hidden = rank - (term.length - DOTS.length);
  return term.replace(DOTS, "ZYXWVUTS".slice(most - hidden, most));
};

/** The diagonal of axes that a term names twice is not taken. */
const checkTerm = (call: Call, term: string) => {
  if (new Set(term).size !== term.length)
    throw unsupported(call, `names an axis twice in "${term}". Diagonals have no gradient here.`);
};

/** Two operands contracted to `out`, which keeps what is still read. */
const contract = (tf: Tf, [a, ta]: readonly [TfTensor, string], [b, tb]: readonly [TfTensor, string], out: string) => {
  const sumOver = (t: TfTensor, term: string, other: string) => {
    const gone = [...term].flatMap((c, i) => (!out.includes(c) && !other.includes(c) ? [i] : []));
    return gone.length === 0
      ? ([t, term] as const)
      : ([tf.sum(t, gone), [...term].filter((_, i) => !gone.includes(i)).join("")] as const);
  };
  const [left, l] = sumOver(a, ta, tb);
  const [right, r] = sumOver(b, tb, ta);
  const batch = [...l].filter((c) => r.includes(c) && out.includes(c));
  const inner = [...l].filter((c) => r.includes(c) && !out.includes(c));
  const rows = [...l].filter((c) => !r.includes(c));
  const columns = [...r].filter((c) => !l.includes(c));
  const size = new Map<string, number>();
  for (const [term, { shape }] of [
    [l, left],
    [r, right],
  ] as const)
    for (const [i, c] of [...term].entries()) size.set(c, Math.max(size.get(c) ?? 1, shape[i]));
  const sizes = (letters: readonly string[]) => letters.map((c) => size.get(c) ?? 1);
  const arranged = (t: TfTensor, term: string, letters: readonly string[], shape: number[]) => {
    const moved = tf.transpose(
      t,
      letters.map((c) => term.indexOf(c)),
    );
    const full = sizes(letters);
    return tf.reshape(moved.shape.join() === full.join() ? moved : tf.broadcastTo(moved, full), shape);
  };
  const [nb, ni, nr, nc] = [batch, inner, rows, columns].map((letters) => sizeOf(sizes(letters)));
  // [batch, rows, inner] x [batch, inner, columns] -> [batch, rows, columns]
  const product = tf.matMul(
    arranged(left, l, [...batch, ...rows, ...inner], [nb, nr, ni]),
    arranged(right, r, [...batch, ...inner, ...columns], [nb, ni, nc]),
  );
  const letters = [...batch, ...rows, ...columns];
  return [tf.reshape(product, sizes(letters)), letters.join("")] as const;
};

/** Any einsum without diagonals: operands two by two, each pair one product of stacks. */
export const einsum: Operator = (call) => {
  const { tf } = call;
  const [left, right] = string(call, "equation", "").replaceAll(" ", "").split("->");
  const given = left.split(",");
  const tensors = given.map((_, i) => x(call, i));
  const hidden = given.map((term, i) => (term.includes(DOTS) ? tensors[i].rank - (term.length - DOTS.length) : 0));
  const most = Math.max(...hidden);
  const terms = given.map((term, i) => spelled(term, tensors[i].rank, most));
  const count = (c: string) => [...terms.join("")].filter((d) => d === c).length;
  const letters = [...new Set(terms.join(""))].sort();
  const implied = `${DOTS.repeat(most > 0 ? 1 : 0)}${letters.filter((c) => c >= "a" && count(c) === 1).join("")}`;
  const out = spelled(right ?? implied, most + (right ?? implied).replace(DOTS, "").length, most);
  for (const term of [...terms, out]) checkTerm(call, term);
  let result: readonly [TfTensor, string] = [tensors[0], terms[0]];
  for (let i = 1; i < terms.length; i++) {
    const needed = new Set([...out, ...terms.slice(i + 1).join("")]);
    result = contract(tf, result, [tensors[i], terms[i]], [...needed].join(""));
  }
  const [value, term] = result;
  const gone = [...term].flatMap((c, i) => (out.includes(c) ? [] : [i]));
  const kept = [...term].filter((c) => out.includes(c));
  const summed = gone.length === 0 ? value : tf.sum(value, gone);
  return tf.transpose(
    summed,
    [...out].map((c) => kept.indexOf(c)),
  );
};

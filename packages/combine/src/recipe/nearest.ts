/** Edit distance: insertions, deletions, substitutions and swaps of neighbours. Source: optimal string alignment. */
const distance = (a: string, b: string): number => {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = above[j - 1]! + Number(a[i - 1] !== b[j - 1]);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(above[j]! + 1, row[j - 1]! + 1, changed, swapped ? before[j - 2]! + 1 : changed);
    }
    [before, above] = [above, row];
  }
  return above[b.length]!;
};

/** A name that is further away than this share of its length is no likely slip. */
const LARGEST_SHARE = 0.4;

/** The name that was probably meant, or undefined where none is near; the first of equals. */
export const nearest = (word: string, names: readonly string[]): string | undefined => {
  let found: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const far = distance(word.toLowerCase(), name.toLowerCase());
    if (far > Math.max(1, LARGEST_SHARE * Math.max(word.length, name.length)) || far >= least) continue;
    [found, least] = [name, far];
  }
  return found;
};

/** What to say of a name that is not among `names`: the one that was probably meant, else all of them. */
export const suggestion = async (word: string, names: readonly string[]): Promise<string> => {
  const near = nearest(word, names);
  if (near !== undefined) return `did you mean "${near}"?`;
  return names.length > 0 ? `there is ${names.join(", ")}` : "there is none";
};

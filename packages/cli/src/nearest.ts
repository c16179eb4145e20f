/** Edit distance of two words, letters that changed places counted once: optimal string alignment. */
const distance = (a: string, b: string): number => {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost, swapped ? before[j - 2] + 1 : Infinity);
    }
    [before, above] = [above, row];
  }
  return above[b.length];
};

/** A word that is further away than this share of its length is no likely slip. */
const LARGEST_SHARE = 0.4;

/** The name that was probably meant, or undefined where none is near; the first of equals. */
export const nearest = (word: string, names: readonly string[]): string | undefined => {
  const found = names
    .map((name) => ({ name, far: distance(word.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, far }) => far <= Math.max(1, LARGEST_SHARE * Math.max(word.length, name.length)));
  return found.sort((a, b) => a.far - b.far)[0]?.name;
};

/** ` Did you mean "x"?`, or nothing. */
export const suggestion = (word: string, names: readonly string[]): string => {
  const near = nearest(word, names);
  return near === undefined ? "" : ` Did you mean "${near}"?`;
};

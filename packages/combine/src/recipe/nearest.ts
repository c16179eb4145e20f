/** A name that is further away than this share of its length is no likely slip. */
const LARGEST_SHARE = 0.4;

/** The name that was probably meant, or undefined where none is near; the first of equals. */
export const nearest = async (word: string, names: readonly string[]): Promise<string | undefined> => {
  const { distance } = await import("fastest-levenshtein");
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
  const near = await nearest(word, names);
  if (near !== undefined) return `did you mean "${near}"?`;
  return names.length > 0 ? `there is ${names.join(", ")}` : "there is none";
};

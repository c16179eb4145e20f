/**
 * Edit distance of two strings in code points: insertions, deletions and substitutions, each counted as 1.
 */
export const levenshtein = (a, b) => {
  const [from, to] = [[...a], [...b]];
  const row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    let diagonal = row[0];
    row[0] = i;
    for (let j = 1; j <= to.length; j++) {
      const above = row[j];
      const substituted = diagonal + (from[i - 1] === to[j - 1] ? 0 : 1);
      row[j] = Math.min(above + 1, row[j - 1] + 1, substituted);
      diagonal = above;
    }
  }
  return row[to.length];
};

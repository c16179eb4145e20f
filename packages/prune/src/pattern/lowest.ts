/**
 * Marks the `count` lowest of `scores[from]`, `scores[from + 1]` … before `to` with 1 in `drop`; of equal scores, those
 * with lower indices. All of them where `count` is as many.
 */
export const dropLowest = (
  scores: Float32Array,
  count: number,
  drop: Uint8Array,
  from = 0,
  to = scores.length,
): void => {
  if (count <= 0) return;
  const sorted = scores.slice(from, to).sort();
  const threshold = sorted[Math.min(count, sorted.length) - 1];
  let below = 0;
  for (let i = from; i < to; i++)
    if (scores[i] < threshold) {
      drop[i] = 1;
      below++;
    }
  for (let i = from, ties = count - below; i < to && ties > 0; i++)
    if (scores[i] === threshold) {
      drop[i] = 1;
      ties--;
    }
};

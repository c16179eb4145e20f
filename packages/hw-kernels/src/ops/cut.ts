/** At most `parts` ranges [start, size] that cover 0..count, starting at multiples of `step`. */
export const cut = (count: number, parts: number, step: number): [start: number, size: number][] => {
  const size = Math.max(Math.ceil(count / parts / step), 1) * step;
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => [i * size, Math.min(size, count - i * size)]);
};

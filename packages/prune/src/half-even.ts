/** The nearest integer; of two as near, the even one. */
export const roundHalfEven = (x: number): number => {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 1 / 2) return rest < 1 / 2 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
};

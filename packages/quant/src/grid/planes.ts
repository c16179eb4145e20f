/** Bits of a code that are stored together: `bits` of them from bit `shift` on. */
export interface Plane {
  readonly bits: number;
  readonly shift: number;
}

const WIDTHS = [8, 4, 2, 1];

/** A width as the least number of planes that fill bytes evenly, the lowest bits first: 3 = 2 + 1, 5 = 4 + 1, 6 = 4 + 2. */
export const planesOf = (bits: number): readonly Plane[] => {
  const planes: Plane[] = [];
  for (let shift = 0; shift < bits; shift += planes.at(-1)!.bits)
    planes.push({ bits: WIDTHS.find((width) => width <= bits - shift)!, shift });
  return planes;
};

/** The bits of each code that a plane stores. */
export const planeCodes = (codes: Uint8Array | Uint16Array, { bits, shift }: Plane): Uint8Array =>
  Uint8Array.from(codes, (code) => (code >> shift) & (2 ** bits - 1));

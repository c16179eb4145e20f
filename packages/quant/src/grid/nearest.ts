/** 1.5 × 2^52: at this magnitude float64 holds whole numbers only, so that adding it rounds. Source: IEEE 754. */
const MAGIC = 6755399441055744;

/** The nearest whole number, halves to even, for |x| < 2^51; short enough to be inlined into inner loops. */
export const nearest = (x: number): number => x + MAGIC - MAGIC;

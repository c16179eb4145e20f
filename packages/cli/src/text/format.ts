const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;
const STEP = 1000;
const DIGITS = 4;
const FEW_DIGITS = 3;
/** Numbers outside this range are written with an exponent. */
const [SMALLEST, LARGEST] = [1e-4, 1e6];

/** Rounded to significant digits, trailing zeros kept off: 0.0378, 12.35, 1.2e-7. */
export const number = (value: number, digits = DIGITS): string => {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "-∞" : "∞";
  const size = Math.abs(value);
  if (value !== 0 && (size < SMALLEST || size >= LARGEST)) return value.toExponential(1).replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
};

/** 10.82 MB, 190.8 kB, 812 B */
export const bytes = (value: number): string => {
  let [scaled, unit] = [value, 0];
  while (Number(scaled.toPrecision(DIGITS)) >= STEP && unit < UNITS.length - 1)
    [scaled, unit] = [scaled / STEP, unit + 1];
  return `${unit === 0 ? scaled : scaled.toPrecision(DIGITS)} ${UNITS[unit]}`;
};

/** 23.1 ms, 1.23 s */
export const milliseconds = (value: number): string =>
  value >= STEP ? `${(value / STEP).toPrecision(FEW_DIGITS)} s` : `${value.toPrecision(FEW_DIGITS)} ms`;

/** 0.91 × */
export const times = (ratio: number): string => `${ratio.toFixed(ratio < 0.1 ? 3 : 2)} ×`;

/** 99.8 % */
export const percent = (share: number): string => `${Number((100 * share).toFixed(1))} %`;

/** 2,690,312; Intl would take 60 ms to load. */
export const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

/** 1 layer, 2 layers */
export const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

/** [1, 3, 48, width] */
export const dims = (values: readonly (number | string | null)[]): string =>
  `[${values.map((dim) => dim ?? "?").join(", ")}]`;

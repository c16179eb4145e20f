/** True when no value is infinite or NaN: 0 times those is NaN. */
export const allFinite = (values: Float32Array): boolean => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
};

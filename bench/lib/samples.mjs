/** How many calibration feeds a data module gives: ESPALIER_SAMPLES, or the number that its figures were made with. */
export const sampleCount = (usual) => Number(process.env.ESPALIER_SAMPLES ?? usual);

/** The first `count` items, from the start again where there are fewer. */
export const take = (items, count) => Array.from({ length: count }, (_, i) => items[i % items.length]);

/** A calibration function from one that resolves to a list of items; each becomes a feed when its turn comes. */
export const asCalibration = (items, feedOf = (item) => item) =>
  async function* () {
    for (const item of await items()) yield feedOf(item);
  };

export const round = (value, digits) => Number(value.toFixed(digits));
export const firstOutput = (outputs) => Object.values(outputs)[0];

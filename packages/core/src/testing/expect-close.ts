import type { Tensor } from "../tensor.ts";

/**
 * Throws unless two tensors agree in dims and ‖actual - expected‖ <= relative · ‖expected‖, and unless the best factor
 * between them, <actual, expected> / <expected, expected>, is within `relative` of 1: a cosine would not see a wrong
 * scale.
 */
export const expectClose = (actual: Tensor, expected: Tensor, relative: number, what = "tensor"): void => {
  const fail = (found: string) => {
    throw new Error(`${what}: ${found}`);
  };
  if (actual.dims.join() !== expected.dims.join()) fail(`dims [${actual.dims}], expected [${expected.dims}]`);
  let [difference, size, product] = [0, 0, 0];
  for (let i = 0; i < expected.data.length; i++) {
    const [a, e] = [Number(actual.data[i]), Number(expected.data[i])];
    if (Number.isNaN(a) !== Number.isNaN(e)) fail(`${a} at ${i}, expected ${e}`);
    // equal infinities and NaNs have no difference to add
    if (Object.is(a, e) && !Number.isFinite(a)) continue;
    difference += (a - e) ** 2;
    size += e ** 2;
    product += a * e;
  }
  const distance = Math.sqrt(difference);
  const norm = Math.sqrt(size);
  if (!(distance <= relative * norm)) fail(`relative L2 distance ${distance / norm}, bound ${relative}`);
  const factor = size === 0 ? 1 : product / size;
  if (!(Math.abs(factor - 1) <= relative)) fail(`scaled by ${factor}, bound ${relative}`);
};

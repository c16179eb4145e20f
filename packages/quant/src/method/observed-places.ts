import {
  type Context,
  type GramStats,
  gramObserver,
  gramReason,
  inputRowsOf,
  type Model,
  type NormStats,
  normObserver,
  observe,
} from "@espalier/core";
import type { ScalePlace } from "../prepare/scale-places.ts";

/** What calibration tells of the value of a place. */
export interface Observed {
  readonly norms: NormStats;
  readonly gram: GramStats;
}

/** Bytes of Gram matrices that are held at a time. */
const AT_A_TIME = 2 ** 27;
const DOUBLE = 8;

const bytesOf = ({ layers: [layer] }: ScalePlace): number => {
  const rows = inputRowsOf(layer!);
  return typeof rows === "string" ? 0 : (DOUBLE * rows.columns * (rows.columns + 1)) / 2;
};

/** Sizes of the channels of each place's value, one run over the data. Places that saw none are left out. */
export const placeNorms = async (
  model: Model,
  ctx: Context,
  places: readonly ScalePlace[],
): Promise<ReadonlyMap<ScalePlace, NormStats>> => {
  const firsts = new Set(places.map(({ layers: [first] }) => first!.name));
  const norms = await observe(model, normObserver({ only: ({ name }) => firsts.has(name) }), ctx);
  return new Map(
    places.flatMap((place) => {
      const own = norms.get(place.layers[0]!.name);
      return own && own.n > 0 && own.squares.every(Number.isFinite) ? [[place, own] as const] : [];
    }),
  );
};

/** Hands on each place with its sizes and its Gram matrix; of these, 128 MB are held at a time, a run over the data for each. */
export const eachPlace = async (
  model: Model,
  ctx: Context,
  places: readonly ScalePlace[],
  visit: (place: ScalePlace, observed: Observed) => void | Promise<void>,
): Promise<void> => {
  const norms = await placeNorms(model, ctx, places);
  const left = [...norms.keys()].filter(({ layers: [first] }) => gramReason(first!) === undefined);
  while (left.length > 0) {
    const group = [left.shift()!];
    let bytes = bytesOf(group[0]!);
    while (left.length > 0 && bytes + bytesOf(left[0]!) <= AT_A_TIME) {
      bytes += bytesOf(left[0]!);
      group.push(left.shift()!);
    }
    const firsts = new Set(group.map(({ layers: [first] }) => first!.name));
    const grams = await observe(model, gramObserver({ only: ({ name }) => firsts.has(name) }), ctx);
    for (const place of group)
      await visit(place, { norms: norms.get(place)!, gram: grams.get(place.layers[0]!.name)! });
  }
};

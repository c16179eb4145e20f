import {
  type Context,
  type Feeds,
  type Groups,
  generateFeeds,
  type Model,
  measureLatency,
  measureSize,
  shrink,
} from "@espalier/core";
import type { Budget } from "./allocate-units.ts";
import type { UnitRemovals } from "./reconstruct.ts";
import type { WorkLeft } from "./work.ts";

/** The first sample of the calibration data, or one that is drawn where there is none. */
export const firstFeeds = async (model: Model, { calibration, ort }: Context): Promise<Feeds> => {
  for await (const feeds of calibration?.() ?? []) return feeds;
  return (await generateFeeds(model, { ort: ort!, count: 1 }))[0];
};

/** The share of a model's multiply-accumulates, bytes or latency that is left without these units. */
export const shareLeft = async (
  model: Model,
  removals: UnitRemovals,
  work: WorkLeft,
  { groups }: Groups,
  ctx: Context,
  budget: Budget,
): Promise<number> => {
  if (budget === "macs") {
    const full = work.total();
    for (const [group, units] of removals) work.remove(groups.indexOf(group), units);
    return work.total() / full;
  }
  const small = await shrink(model, removals);
  if (budget === "bytes") return measureSize(small).bytes / measureSize(model).bytes;
  const { threads } = ctx;
  const options = { before: model, after: small, feeds: [await firstFeeds(model, ctx)], ort: ctx.ort! };
  return (await measureLatency({ ...options, ...(threads !== undefined && { threads }) })).ratio;
};

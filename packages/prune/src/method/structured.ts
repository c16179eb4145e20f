import {
  type Context,
  checkAborted,
  countMacs,
  definePass,
  type GroupKind,
  type Groups,
  groups,
  isFloatType,
  type Layer,
  type Model,
  measureSize,
  observe,
  type Pass,
  type Selection,
  shrink,
  unselected,
} from "@espalier/core";
import { linearAlgebra } from "@espalier/core/linalg";
import { badOption } from "../errors.ts";
import { type Budget, countsByScan } from "../structured/allocate-units.ts";
import { type ChooseOptions, checkReach, chooseUnits, leastOf } from "../structured/choose-units.ts";
import { fingerprint } from "../structured/fingerprint.ts";
import { type MomentSums, momentObserver } from "../structured/moments.ts";
import { byShare, outputErrorScore } from "../structured/output-error.ts";
import { weightReader } from "../structured/read-weight.ts";
import { reconstruct as reconstructed, type UnitRemovals } from "../structured/reconstruct.ts";
import { type ScanCache, scanGroups } from "../structured/scan.ts";
import {
  activationScore,
  geometricMedianScore,
  l1Score,
  l2Score,
  type Ranking,
  scaleScore,
  type UnitScore,
} from "../structured/scores.ts";
import { firstFeeds, shareLeft } from "../structured/share-left.ts";
import { consumerLayer, layersByWeight, openGroup } from "../structured/unit-group.ts";
import { workLeft } from "../structured/work.ts";
import { checkSparsity } from "./prune-options.ts";

const scores = {
  l1: l1Score,
  l2: l2Score,
  median: geometricMedianScore,
  scale: scaleScore,
  activation: activationScore,
  outputError: outputErrorScore,
} as const satisfies Record<string, UnitScore>;

export interface StructuredOptions extends Selection {
  /** Share of the model's multiply-accumulates to remove; with `scope: "scan"`, of what `budget` says. */
  readonly ratio?: number;
  /** What tells units that go from those that stay: a name, or a function of your own. */
  readonly score?: keyof typeof scores | UnitScore;
  /**
   * Where units go: the same share of every group; where they cost least for the work that they save; or where the
   * outputs of the model suffer least by a scan of one group at a time.
   */
  readonly scope?: "local" | "global" | "scan";
  /** What `scope: "scan"` saves. Latency is measured, so that two runs may differ. */
  readonly budget?: Budget;
  /** Rows of the scan from runs before. */
  readonly cache?: ScanCache;
  /**
   * What stays of an axis is a multiple of this: 8, 16 and 32 are what kernels like, and other widths may well run slower
   * than the whole model did.
   */
  readonly multiple?: number;
  /** Share of the units of each group that stays at least. */
  readonly keep?: number;
  /** Give the weights that take units in new values, so that they make up for what is gone: least squares on the data. */
  readonly reconstruct?: boolean;
  /** Solve them layer after layer, each on what the pruned ones before it give; otherwise all on the model as it was. */
  readonly sequential?: boolean;
  /** Kinds of units that may go. */
  readonly kinds?: readonly GroupKind[];
}

const NAME = "prune/structured";
const SCOPES = ["local", "global", "scan"] as const;
const KINDS: readonly GroupKind[] = ["channels", "neurons", "heads", "recurrent", "convGroups"];

const chosenGroups = (
  found: Groups,
  byWeight: ReadonlyMap<string, Layer>,
  ctx: Context,
  { kinds = KINDS, skip, only, multiple, keep }: StructuredOptions & Pick<ChooseOptions, "multiple" | "keep">,
): boolean[] => {
  const why = unselected({ skip, only });
  return found.groups.map((group) => {
    const makers = group.members.flatMap(({ role, weight }) =>
      role === "out" ? (byWeight.get(weight.name) ?? []) : [],
    );
    const least = leastOf(group, { multiple, keep });
    const reason = !kinds.includes(group.kind)
      ? `kinds leaves ${group.kind} alone`
      : (makers.map(why).find((each) => each !== undefined) ??
        (least >= group.size ? `with multiple ${multiple}, all of its ${group.size} units must stay` : undefined));
    if (reason !== undefined) ctx.report({ pass: NAME, layer: group.name, action: "skipped", reason });
    return reason === undefined;
  });
};

const isFloat = ({ graph }: Model, byWeight: ReadonlyMap<string, Layer>, name: string): boolean =>
  isFloatType((byWeight.get(name)?.weight.tensor ?? graph.weights.get(name))?.type ?? "string");

const scalesOf = ({ graph }: Model): ReadonlySet<string> =>
  new Set(graph.nodes.flatMap(({ opType, inputs }) => (opType === "BatchNormalization" ? [inputs[1]] : [])));

/**
 * Removes channels, neurons, attention heads and recurrent units, with everything that is coupled to them, until
 * `ratio` of the multiply-accumulates is gone: the model that comes out is smaller and faster in every runtime. The
 * weights that took the units in are solved anew, so that they make up for them as well as the data allows.
 *
 * Units go where they cost least for the work that they save: `scope: "local"`, `score: "l1"` and `reconstruct: false`
 * give the filter pruning of Li et al. 2016 (arXiv:1608.08710), which needs no data. Fold the model first.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range, for a ratio that would empty a group, for weights that
 *   are not finite
 */
export const structured = ({
  ratio = 0.2,
  score = "outputError",
  scope = "global",
  budget = "macs",
  cache,
  multiple = 8,
  keep = 0.1,
  reconstruct = true,
  sequential = true,
  ...selection
}: StructuredOptions = {}): Pass => {
  checkSparsity(NAME, ratio, "ratio");
  checkSparsity(NAME, keep, "keep");
  if (!(Number.isInteger(multiple) && multiple >= 1)) throw badOption(NAME, `multiple is ${multiple}. Give 1, 8, 16 …`);
  const scoreOf = typeof score === "function" ? score : scores[score];
  if (!scoreOf) throw badOption(NAME, `score "${score}" is unknown. Choose one of ${Object.keys(scores).join(", ")}.`);
  if (!SCOPES.includes(scope)) throw badOption(NAME, `scope "${scope}" is unknown. Choose ${SCOPES.join(", ")}.`);
  if (budget !== "macs" && scope !== "scan")
    throw badOption(NAME, `scope "${scope}" counts multiply-accumulates. Give scope "scan" for a budget of ${budget}.`);
  const data = reconstruct || scope === "scan" || scoreOf === outputErrorScore || scoreOf === activationScore;
  const apply = async (model: Model, ctx: Context): Promise<Model> => {
    if (ratio === 0) return model;
    const all = await groups(model);
    const byWeight = layersByWeight(model);
    const chosen = chosenGroups(all, byWeight, ctx, { ...selection, multiple, keep });
    if (!chosen.includes(true)) return model;
    const consumers = new Set(
      all.groups.flatMap((group, at) =>
        chosen[at] ? group.members.flatMap((member) => consumerLayer(byWeight, member)?.name ?? []) : [],
      ),
    );
    const read = weightReader(NAME, model);
    for (const [at, { members }] of all.groups.entries())
      for (const { weight } of chosen[at] ? members : [])
        if (isFloat(model, byWeight, weight.name)) await read(weight.name);
    const { layers: macs } = await countMacs(model, { ort: ctx.ort!, feeds: await firstFeeds(model, ctx) });
    const newWork = () => workLeft(all, macs);
    if (budget === "macs") checkReach(NAME, all, chosen, newWork(), { ratio, multiple, keep });
    const algebra = linearAlgebra(ctx.kernels);
    const stats: ReadonlyMap<string, MomentSums> =
      ctx.calibration && data
        ? await observe(
            model,
            momentObserver(({ name }) => consumers.has(name), algebra.gramMatrix),
            ctx,
          )
        : new Map();
    const open = { byWeight, stats, scales: scalesOf(model), read };
    const rankings: Ranking[] = [];
    ctx.progress({ kind: "start", task: NAME, total: all.groups.length });
    for (const [at, group] of all.groups.entries()) {
      checkAborted(NAME, ctx.signal);
      const found = chosen[at] ? scoreOf(await openGroup(group, open), algebra) : { order: [], costs: [] };
      rankings.push("order" in found ? found : byShare(found));
      ctx.progress({ kind: "step", task: NAME, done: at + 1, total: all.groups.length, note: group.name });
    }
    ctx.progress({ kind: "end", task: NAME });
    const removalsOf = (counts: readonly number[]) =>
      new Map(
        all.groups.flatMap((group, at) =>
          counts[at] > 0 ? [[group, rankings[at].order.slice(0, counts[at])] as const] : [],
        ),
      );
    const build = (removals: UnitRemovals, inTurn: boolean) =>
      reconstruct
        ? reconstructed(model, removals, ctx, { where: NAME, byWeight, stats, sequential: inTurn })
        : shrink(model, removals);
    const scanned = async () => {
      const key = `${await fingerprint(model)} ${typeof score === "string" ? score : "own"} ${reconstruct}`;
      const rows = await scanGroups(model, all, rankings, ctx, {
        where: NAME,
        latency: budget === "latency",
        multiple,
        keep,
        key,
        ...(cache && { cache }),
        build: (removals) => build(removals, false),
      });
      const { bytes } = measureSize(model);
      const left = (counts: readonly number[]) => shareLeft(model, removalsOf(counts), newWork(), all, ctx, budget);
      return countsByScan(NAME, all, rankings, rows, { budget, ratio, multiple, keep, bytes, newWork, left });
    };
    const counts =
      scope === "scan" ? await scanned() : chooseUnits(NAME, all, rankings, newWork, { ratio, scope, multiple, keep });
    const removals = removalsOf(counts);
    for (const [at, group] of all.groups.entries()) {
      const form = `${group.size - counts[at]} of ${group.size} ${group.kind} stay`;
      if (counts[at] > 0) ctx.report({ pass: NAME, layer: group.name, action: "changed", form });
      else if (chosen[at]) ctx.report({ pass: NAME, layer: group.name, action: "skipped", reason: "others cost less" });
    }
    return build(removals, sequential);
  };
  return definePass({
    name: NAME,
    stage: "structure",
    traits: { needs: data ? ["ort", "calibration"] : ["ort"], changesShapes: true },
    apply,
  });
};

import type { InspectedLayer } from "../inspection.ts";
import { bytes, count } from "./format.ts";
import type { Paper } from "./paper.ts";
import { table } from "./table.ts";

type Scheme = InspectedLayer["schemes"][number];

interface Fit {
  readonly layer: InspectedLayer;
  readonly scheme: Scheme;
}

const RUNTIMES = ["node", "web", "webgpu"] as const;

/** "MatMulNBits int4, block 32" and its like with other blocks are one line. */
const family = ({ name }: Scheme) => name.replace(/, block.*$/, "");

const byFamily = (layers: readonly InspectedLayer[]): Map<string, Fit[]> => {
  const groups = new Map<string, Fit[]>();
  for (const layer of layers)
    for (const scheme of layer.schemes) {
      const fits = groups.get(family(scheme)) ?? [];
      groups.set(family(scheme), fits);
      // of several blocks the smallest, which comes first
      if (fits.at(-1)?.layer !== layer) fits.push({ layer, scheme });
    }
  return groups;
};

/** "fast", or "slow/fast" where it hangs on the layer; "no" where the runtime does not take it. */
const speedsOf = (fits: readonly Fit[], runtime: (typeof RUNTIMES)[number]): string =>
  [...new Set(fits.map(({ scheme }) => scheme[runtime]))].join("/").replace("unsupported", "no");

/** For each scheme: the layers that it fits, what they would take, and what each runtime makes of it. */
export const schemeTable = (layers: readonly InspectedLayer[], paper: Paper): string => {
  const total = (fits: readonly Fit[], of: (fit: Fit) => number) => fits.reduce((sum, fit) => sum + of(fit), 0);
  const rows = [...byFamily(layers)].map(([name, fits]) => {
    const now = total(fits, ({ layer }) => layer.bytes);
    const then = total(fits, ({ scheme }) => scheme.bytes);
    const speeds = RUNTIMES.map((runtime) => speedsOf(fits, runtime));
    return { saved: now - then, cells: [name, count(fits.length), bytes(now), bytes(then), ...speeds] };
  });
  const columns = [
    { head: "scheme", cut: "middle" as const },
    ...["layers", "now", "then"].map((head) => ({ head, align: "right" as const })),
    ...RUNTIMES.map((head) => ({ head })),
  ];
  return table(
    columns,
    rows.sort((a, b) => b.saved - a.saved).map(({ cells }) => cells),
    paper,
  );
};

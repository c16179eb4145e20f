import { type Pass, sizeOf } from "@espalier/core";
import { transpose } from "@espalier/core/linalg";
import type { Dense } from "../factor/tensor.ts";
import { modeEnergies, tucker2 } from "../factor/tucker2.ts";
import { type ConvOptions, type ConvRule, convPass } from "./conv-pass.ts";

export interface TuckerOptions extends ConvOptions {
  /** Most rounds of higher-order orthogonal iteration after HOSVD. */
  readonly rounds?: number;
}

/** Parameters of the three convolutions. */
const sizeAt = (out: number, inputs: number, taps: number, rankOut: number, rankIn: number) =>
  inputs * rankIn + rankIn * rankOut * taps + rankOut * out;

/** What each number of kept directions leaves: the sum of the energies beyond it, [n + 1]. */
const tails = (energies: Float64Array): Float64Array => {
  const rest = new Float64Array(energies.length + 1);
  for (let r = energies.length - 1; r >= 0; r--) rest[r] = rest[r + 1] + energies[r];
  return rest;
};

/** Of all pairs of ranks within a number of parameters, the one whose modes discard the least energy together. */
const bestPair = (out: Float64Array, inner: Float64Array, taps: number, limit: number): [number, number] => {
  const [outs, inputs] = [out.length - 1, inner.length - 1];
  let best: [number, number] = [1, 1];
  let least = Number.POSITIVE_INFINITY;
  for (let rankIn = 1; rankIn <= inputs; rankIn++) {
    const rankOut = Math.min(outs, Math.floor((limit - inputs * rankIn) / (rankIn * taps + outs)));
    if (rankOut < 1) break;
    const rest = out[rankOut] + inner[rankIn];
    if (rest >= least) continue;
    least = rest;
    best = [rankOut, rankIn];
  }
  return best;
};

const ranksOf = (w: Dense, rule: ConvRule): [number, number] => {
  const [out, inputs, taps] = w.dims;
  if (rule.kind === "rank") return [Math.min(rule.rank, out), Math.min(rule.rank, inputs)];
  const [outTails, inTails] = [tails(modeEnergies(w, 0)), tails(modeEnergies(w, 1))];
  if (rule.kind === "ratio") return bestPair(outTails, inTails, taps, (1 - rule.share) * out * inputs * taps);
  const holding = (rest: Float64Array) =>
    Math.max(
      1,
      rest.findIndex((left) => left <= (1 - rule.share) * rest[0]),
    );
  return [holding(outTails), holding(inTails)];
};

/**
 * Convolutions as 1 × 1 to fewer channels, the kernel between few channels, and 1 × 1 back: Tucker-2.
 *
 *     W[o, i, :] ≈ sum over p, q of U[o, p] C[p, q, :] V[i, q]      parameters: in · q + p · q · taps + p · out
 *
 * HOSVD of the channel axes, then orthogonal iteration. `ratio` finds the pair of ranks whose modes discard the least
 * energy; `energy` is kept in each mode; `rank` holds for both. No data; convolutions in one group, wider than 1.
 * Source: arXiv:1511.06530.
 *
 * @throws EspalierError `BAD_OPTION` for options out of range
 */
export const tucker = ({ rounds = 20, ...options }: TuckerOptions = {}): Pass =>
  convPass(
    {
      name: "lowrank/tucker",
      window: 1,
      rules: ["ratio", "rank", "energy"],
      decompose({ dims, data }, rule) {
        const [out, inputs, ...kernel] = dims;
        const taps = sizeOf(kernel);
        const w: Dense = { dims: [out, inputs, taps], data };
        const [rankOut, rankIn] = ranksOf(w, rule);
        const form = `ranks ${rankOut} of ${out} and ${rankIn} of ${inputs}`;
        const size = sizeAt(out, inputs, taps, rankOut, rankIn);
        if (size >= data.length) return `${form} would take ${size} parameters for ${data.length}`;
        const { out: u, in: v, core, error } = tucker2(w, rankOut, rankIn, rounds);
        const ones = kernel.map(() => 1);
        return {
          form,
          error,
          stages: [
            {
              dims: [rankIn, inputs, ...ones],
              values: Float32Array.from(transpose(v).data),
              groups: 1,
              axes: [],
              suffix: "in",
            },
            {
              dims: [rankOut, rankIn, ...kernel],
              values: Float32Array.from(core.data),
              groups: 1,
              axes: kernel.map((_, i) => i),
              suffix: "core",
            },
            { dims: [out, rankOut, ...ones], values: Float32Array.from(u.data), groups: 1, axes: [], suffix: "out" },
          ],
        };
      },
    },
    options,
  );

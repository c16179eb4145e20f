import {
  EspalierError,
  type Fidelity,
  type FidelitySums,
  fidelityOf,
  isFloatType,
  numbersOf,
  type Tensor,
} from "@espalier/core";

/** Values of one run, by name. */
type Outputs = Readonly<Record<string, Tensor>>;

/** What was found of the outputs over all samples. */
export interface OutputComparison {
  readonly fidelity: Readonly<Record<string, Fidelity>>;
  /** Outputs that are floats; all, where none is. Their fidelity counts. */
  readonly counted: readonly { readonly name: string; readonly float: boolean }[];
  /** Outputs that would count, of which the samples say nothing, with the reason. */
  readonly silent: readonly { readonly name: string; readonly reason: "near zero" | "constant" }[];
}

/** A float output that nowhere exceeds this holds nothing but noise, as a detector's map does where it finds nothing. */
const NEAR_ZERO = 1e-3;
/** An output that departs from that of the first sample by no more than this share does not depend on the input. */
const CONSTANT = 1e-3;

interface Watched {
  readonly first: Tensor;
  readonly sums: FidelitySums;
  samples: number;
  peak: number;
  differs: boolean;
}

const numbers = (value: Tensor): ArrayLike<number> =>
  value.type === "string" ? (value.data as string[]).map((_, i) => i) : numbersOf(value);

const sameStrings = (a: Tensor, b: Tensor) =>
  a.type !== "string" || (a.data as string[]).every((text, i) => text === b.data[i]);

const look = (watched: Watched, value: Tensor) => {
  const { first } = watched;
  const [x, y] = [numbers(value), numbers(first)];
  let [size, distance] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    watched.peak = Math.max(watched.peak, Math.abs(x[i]!));
    size += x[i]! ** 2;
    distance += (x[i]! - y[i]!) ** 2;
  }
  const same = x.length === y.length && sameStrings(value, first);
  watched.differs ||= !same || distance > CONSTANT ** 2 * size;
  watched.samples++;
};

const silence = ({ first, peak, differs, samples }: Watched): "near zero" | "constant" | undefined => {
  if (isFloatType(first.type) && peak < NEAR_ZERO) return "near zero";
  return samples > 1 && !differs ? "constant" : undefined;
};

const lost = (name: string) =>
  new EspalierError("BAD_TENSOR", "combine/measure", `the result has no output "${name}". Keep the model's outputs.`);

/**
 * Compares the outputs of two models as they stream by; the first sample's are kept.
 *
 * @param classes outputs that are scores of classes: argmax agreement means something
 */
export const compareOutputs = (classes: ReadonlySet<string> = new Set()) => {
  const all = new Map<string, Watched>();
  return {
    /** @throws EspalierError `BAD_TENSOR` for outputs of different dims */
    add(expected: Outputs, actual: Outputs): void {
      for (const [name, value] of Object.entries(expected)) {
        const fresh = () => fidelityOf({ name, classes: classes.has(name) });
        const watched = all.get(name) ?? { first: value, sums: fresh(), samples: 0, peak: 0, differs: false };
        all.set(name, watched);
        const other = actual[name];
        if (!other) throw lost(name);
        watched.sums.add(value, other);
        look(watched, value);
      }
    },
    result(): OutputComparison {
      const typed = [...all].map(([name, watched]) => ({ name, float: isFloatType(watched.first.type), watched }));
      const any = typed.some(({ float }) => float);
      const would = typed.filter(({ float }) => float || !any);
      return {
        fidelity: Object.fromEntries(typed.map(({ name, watched }) => [name, watched.sums.result()])),
        counted: would.filter(({ watched }) => !silence(watched)).map(({ name, float }) => ({ name, float })),
        silent: would.flatMap(({ name, watched }) => {
          const reason = silence(watched);
          return reason ? [{ name, reason }] : [];
        }),
      };
    },
  };
};

import { EspalierError } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { sizeOf } from "../tensor.ts";
import { floatsOf } from "./matmul.ts";
import { stridesOf, walk } from "./shapes.ts";
import type { KernelFunction, TensorInfo } from "./tf.ts";

/** Values with a letter for each dimension. */
interface Labelled {
  readonly labels: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const WHERE = "hw-kernels/tfjs/einsum";

/** The letters of an equation: those of each operand and of the result. */
export const parseEinsum = (equation: string, operands: number): { inputs: string[]; output: string } => {
  const [left, output, more] = equation.replace(/\s/g, "").split("->");
  const inputs = left!.split(",");
  const doubled = (labels: string) => new Set(labels).size < labels.length;
  const wrong =
    output === undefined || more !== undefined || inputs.length !== operands || operands > 2
      ? `does not describe ${operands} tensors; it may be one or two`
      : ![...inputs, output].every((labels) => /^[a-zA-Z]*$/.test(labels))
        ? "has more than letters"
        : [...inputs, output].some(doubled)
          ? "names a dimension twice in one tensor"
          : [...output].some((label) => !left!.includes(label))
            ? "names a dimension of the result that no tensor has"
            : undefined;
  if (wrong) throw new EspalierError("BAD_DATA", WHERE, `"${equation}" ${wrong}. Write it as "ij,jk->ik".`);
  return { inputs, output: output! };
};

/** Dimensions in another order; those that `labels` leaves out are summed. */
const arranged = (from: Labelled, labels: string): Labelled => {
  if (from.labels === labels) return from;
  const lost = [...from.labels].filter((label) => !labels.includes(label));
  const all = [...labels, ...lost];
  const own = stridesOf(from.shape);
  const axes = all.map((label) => from.labels.indexOf(label));
  const shape = axes.map((axis) => from.shape[axis]!);
  const kept = shape.slice(0, labels.length);
  const summed = sizeOf(shape.slice(labels.length));
  const sums = new Float64Array(sizeOf(kept));
  if (summed > 0)
    walk(
      shape,
      axes.map((axis) => own[axis]!),
      (index, place) => {
        const at = Math.floor(index / summed);
        sums[at] = sums[at]! + from.data[place]!;
      },
    );
  return { labels, shape: kept, data: Float32Array.from(sums) };
};

const contracted = ({ gemm }: Pick<Kernels, "gemm">, a: Labelled, b: Labelled, output: string): Labelled => {
  const pick = (labels: string, keep: (label: string) => boolean) => [...labels].filter(keep).join("");
  const batch = pick(a.labels, (label) => b.labels.includes(label) && output.includes(label));
  const inner = pick(a.labels, (label) => b.labels.includes(label) && !output.includes(label));
  const rows = pick(a.labels, (label) => !b.labels.includes(label) && output.includes(label));
  const columns = pick(b.labels, (label) => !a.labels.includes(label) && output.includes(label));
  const [left, right] = [arranged(a, batch + rows + inner), arranged(b, batch + columns + inner)];
  const size = ({ labels, shape }: Labelled, some: string) =>
    sizeOf([...some].map((label) => shape[labels.indexOf(label)]!));
  const [groups, m, n, k] = [size(left, batch), size(left, rows), size(right, columns), size(left, inner)];
  const data = new Float32Array(groups * m * n);
  if (data.length > 0 && k > 0) {
    const matrices = (own: Labelled, count: number) =>
      ({ type: "float32", dims: [groups, count, k], data: own.data }) as const;
    gemm(matrices(left, m), matrices(right, n), {
      transB: true,
      out: { type: "float32", dims: [groups, m, n], data },
    });
  }
  const labels = batch + rows + columns;
  const known = new Map([...left.labels].map((label, axis) => [label, left.shape[axis]!]));
  for (const [axis, label] of [...right.labels].entries()) known.set(label, right.shape[axis]!);
  return { labels, shape: [...labels].map((label) => known.get(label)!), data };
};

const labelled = (labels: string, info: TensorInfo, data: Float32Array, equation: string): Labelled => {
  if (labels.length === info.shape.length) return { labels, shape: info.shape, data };
  const found = `"${equation}" gives ${labels.length} dimensions to a tensor of shape [${info.shape}]. Make them agree.`;
  throw new EspalierError("BAD_DATA", WHERE, found);
};

/** Kernel `Einsum`: sums of products of one or two tensors by the letters of their dimensions, as one product of matrices. */
export const einsum =
  (kernels: Pick<Kernels, "gemm">): KernelFunction =>
  ({ inputs, backend, attrs }) => {
    const equation = String(attrs.equation);
    const tensors = Object.values(inputs) as TensorInfo[];
    const { inputs: letters, output } = parseEinsum(equation, tensors.length);
    const sizes = new Map<string, number>();
    tensors.forEach(({ shape }, i) => {
      for (const [axis, label] of [...letters[i]!].entries()) {
        const known = sizes.get(label);
        if (known !== undefined && known !== shape[axis])
          throw new EspalierError("BAD_DATA", WHERE, `"${equation}": ${label} is ${known} and ${shape[axis]}.`);
        sizes.set(label, shape[axis]!);
      }
    });
    const out = backend.makeOutput(
      [...output].map((label) => sizes.get(label)!),
      "float32",
    );
    const parts = tensors.map((info, i) => labelled(letters[i]!, info, floatsOf(backend, info), equation));
    const [a, b] = [parts[0]!, parts[1]];
    const made = b ? contracted(kernels, a, b, output) : a;
    floatsOf(backend, out).set(arranged(made, output).data);
    return out;
  };

import type { DataType, Dim, Model } from "@espalier/core";

/** What a model asks for under one name. */
export interface InputSpec {
  readonly name: string;
  readonly type?: DataType;
  readonly shape?: readonly Dim[];
  /** The model has a value of its own for it. */
  readonly optional: boolean;
}

/** The inputs of a model, in the order of its graph; types and shapes where the file tells them. */
export const modelInputs = ({ graph }: Model): readonly InputSpec[] =>
  graph.inputs.map(({ name, type }) => ({
    name,
    optional: graph.weights.has(name),
    ...(type?.kind === "tensor" && type.type && { type: type.type }),
    ...(type?.kind === "tensor" && type.shape && { shape: type.shape }),
  }));

/** "float32 [1, 3, 48, width]" */
export const specText = ({ type, shape }: Pick<InputSpec, "type" | "shape">): string =>
  [type, shape && `[${shape.map((dim) => dim ?? "?").join(", ")}]`].filter((part) => part !== undefined).join(" ");

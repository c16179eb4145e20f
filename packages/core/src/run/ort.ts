/**
 * The part of `onnxruntime-common` that Espalier uses, structurally: onnxruntime-node and onnxruntime-web both
 * fit, and nothing here imports either. Take `ort` from the package that the application uses.
 */
export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
  getData?(): Promise<unknown>;
  dispose?(): void;
}

export interface OrtValueMetadata {
  readonly name: string;
  readonly isTensor: boolean;
  readonly type?: string;
  readonly shape?: readonly (number | string)[];
}

export interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputMetadata?: readonly OrtValueMetadata[];
  readonly outputMetadata?: readonly OrtValueMetadata[];
  run(feeds: Record<string, OrtTensor>, fetches?: readonly string[]): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: overloads that differ between the two packages
type Any = any;

export interface Ort {
  readonly InferenceSession: { create(model: Any, options?: Any): Promise<Any> };
  readonly Tensor: new (type: Any, data: Any, dims?: readonly number[]) => OrtTensor;
  readonly env?: Any;
}

/** What is used of TensorFlow.js, by structure, so that nothing of it is imported. */
export interface TensorInfo {
  dataId: object;
  shape: number[];
  dtype: string;
}

/** The WebAssembly backend: tensors on its heap. */
export interface WasmBackend {
  makeOutput(shape: number[], dtype: string): TensorInfo;
  typedArrayFromHeap(info: TensorInfo): Float32Array | Int32Array | Uint8Array;
}

export interface KernelCall {
  inputs: Readonly<Record<string, TensorInfo | undefined>>;
  backend: WasmBackend;
  attrs: Readonly<Record<string, unknown>>;
}

export type KernelFunction = (call: KernelCall) => TensorInfo;

interface KernelConfig {
  kernelName: string;
  backendName: string;
  // biome-ignore lint/suspicious/noExplicitAny: TensorFlow.js types its kernels by maps that no one kernel has
  kernelFunc: (call: any) => any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  setupFunc?: (backend: any) => void;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  disposeFunc?: (backend: any) => void;
}

interface GradientConfig {
  kernelName: string;
  saveAllInputs?: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  gradFunc: (dy: any, saved: any[], attrs: any) => Record<string, () => any>;
}

/** Where a convolution's kernel lies on its input. */
export interface ConvolutionInfo {
  outHeight: number;
  outWidth: number;
  inHeight: number;
  inWidth: number;
  strideHeight: number;
  strideWidth: number;
  dilationHeight: number;
  dilationWidth: number;
  effectiveFilterHeight: number;
  effectiveFilterWidth: number;
  padInfo: { top: number; left: number; bottom: number; right: number };
}

/** `@tensorflow/tfjs-core`, or `@tensorflow/tfjs`. */
export interface Tf {
  registerKernel(config: KernelConfig): void;
  unregisterKernel(kernelName: string, backendName: string): void;
  getKernel(kernelName: string, backendName: string): KernelConfig | undefined;
  registerGradient(config: GradientConfig): void;
  unregisterGradient(kernelName: string): void;
  getGradient(kernelName: string): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: tensors of whichever copy of TensorFlow.js is given
  einsum(equation: string, ...tensors: any[]): any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  mul(a: any, b: any): any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  reshape(x: any, shape: number[]): any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  ones(shape: number[]): any;
  backend_util: {
    assertAndGetBroadcastShape(a: number[], b: number[]): number[];
    computeConv2DInfo(
      inShape: [number, number, number, number],
      filterShape: [number, number, number, number],
      strides: number | [number, number],
      dilations: number | [number, number],
      pad: "same" | "valid" | number,
      roundingMode?: "floor" | "round" | "ceil",
      depthwise?: boolean,
      dataFormat?: "channelsFirst" | "channelsLast",
    ): ConvolutionInfo;
  };
}

/** The part of `navigator.gpu` that is used here; npm's `webgpu` has it too. */
export interface Gpu {
  readonly wgslLanguageFeatures?: Iterable<string>;
  requestAdapter(options?: { powerPreference?: "high-performance" | "low-power" }): Promise<GpuAdapter | null>;
}
interface GpuAdapter {
  readonly features: Iterable<string>;
  readonly limits: object;
  readonly info: {
    vendor?: string;
    architecture?: string;
    device?: string;
    description?: string;
    isFallbackAdapter?: boolean;
  };
}

export interface WebGpuReport {
  readonly available: boolean;
  readonly reason: string;
  readonly adapter?: string;
  /** Computed in software: right, and slow. */
  readonly fallback?: boolean;
  readonly features?: readonly string[];
  readonly languageFeatures?: readonly string[];
  readonly limits?: Readonly<Record<string, number>>;
}

/** The limits that kernels are cut by. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupsPerDimension",
];
const SOFTWARE = /swiftshader|llvmpipe|software/i;

/** The adapter that `gpu` gives, with its features and limits. `gpu` is `navigator.gpu` unless one is passed. */
export const probeWebGpu = async (gpu?: Gpu): Promise<WebGpuReport> => {
  const source = gpu ?? (globalThis as { navigator?: { gpu?: Gpu } }).navigator?.gpu;
  if (!source) return { available: false, reason: "there is no navigator.gpu, and none was passed" };
  try {
    const adapter = await source.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return { available: false, reason: "navigator.gpu has no adapter" };
    const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
    const name = [vendor, architecture, device, description].filter(Boolean).join(" ");
    const limits = adapter.limits as Record<string, number>;
    return {
      available: true,
      reason: "an adapter answered",
      adapter: name,
      fallback: isFallbackAdapter ?? SOFTWARE.test(name),
      features: [...adapter.features].sort(),
      languageFeatures: [...(source.wgslLanguageFeatures ?? [])].sort(),
      limits: Object.fromEntries(LIMITS.map((limit) => [limit, limits[limit]!])),
    };
  } catch (error) {
    return { available: false, reason: `requestAdapter failed: ${(error as Error).message}` };
  }
};

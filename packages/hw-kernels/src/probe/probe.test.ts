import { describe, expect, it } from "vitest";
import { probe, probeLine } from "./probe.ts";
import { probeWebGpu } from "./webgpu.ts";

const major = Number(process.versions.node.split(".")[0]);
/** Node 20 validates no relaxed SIMD; from 21 on all do. */
const FIRST_RELAXED = 21;

const adapter = {
  features: new Set(["subgroups", "shader-f16"]),
  limits: { maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 27 },
  info: { vendor: "google", architecture: "swiftshader", device: "", description: "" },
};

describe("probe", () => {
  it("names this engine and finds SIMD128, and relaxed SIMD from Node 21 on", async () => {
    const report = await probe();
    expect(report.engine.host).toBe(`Node ${process.versions.node}`);
    expect(report.engine.x86).toBe(process.arch === "x64");
    expect(report.simd).toBe(true);
    expect(report.relaxed.available).toBe(major >= FIRST_RELAXED);
    expect(report.memory.maximumBytes).toBe(2 ** 32);
    if (report.relaxed.available) expect(["signed", "unsigned", "saturating"]).toContain(report.relaxed.dot);
  });

  it("is JSON, and one readable line that gives a reason for what is missing", async () => {
    const report = await probe();
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(probeLine(report)).toMatch(/^Node [\d.]+( x86)?: SIMD128; .*memory to 4\.0 GiB; no WebGPU \(.+\)$/);
  });

  it("reports an injected adapter with its features and limits, and that it is software", async () => {
    const gpu = { wgslLanguageFeatures: ["packed_4x8_integer_dot_product"], requestAdapter: async () => adapter };
    const { webgpu } = await probe({ gpu });
    expect(webgpu).toMatchObject({
      available: true,
      adapter: "google swiftshader",
      fallback: true,
      features: ["shader-f16", "subgroups"],
      languageFeatures: ["packed_4x8_integer_dot_product"],
    });
    expect(webgpu.limits?.maxBufferSize).toBe(2 ** 28);
  });

  it("gives the reason where there is no adapter or asking for one fails", async () => {
    const none = await probeWebGpu({ requestAdapter: async () => null });
    const failing = await probeWebGpu({ requestAdapter: () => Promise.reject(new Error("lost")) });
    expect(none).toEqual({ available: false, reason: "navigator.gpu has no adapter" });
    expect(failing.reason).toContain("lost");
  });
});

import { f32x4, v128, wasmModule } from "../asm/index.ts";

export interface EngineReport {
  /** "Node 20.20.2", "Chrome 140", … */
  readonly host: string;
  /** Whether vectors behave as on x86. */
  readonly x86: boolean;
}

/** SIMD128: a module that subtracts two infinities. The NaN's sign is set on x86 and clear on ARM. */
const infinityModule = (): Uint8Array<ArrayBuffer> => {
  const m = wasmModule();
  m.func("run", {}, (f) => {
    const infinity = f.let(v128.load(16));
    f.do(v128.store(0, f32x4.sub(infinity, infinity)));
  });
  return m.bytes();
};

export const hasSimd = (): boolean => WebAssembly.validate(infinityModule());

const isX86 = () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  new Float32Array(memory.buffer).fill(Infinity, 4, 8);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(infinityModule()), { env: { memory } });
  (instance.exports.run as () => void)();
  return new Int32Array(memory.buffer)[0]! < 0;
};

/** Names in user agents, the more special ones first, as each browser also names those that it resembles. */
const BROWSERS = [/Edg\/([\d.]+)/, /Firefox\/([\d.]+)/, /Chrome\/([\d.]+)/, /Version\/([\d.]+).*Safari/];
const BROWSER_NAMES = ["Edge", "Firefox", "Chrome", "Safari"];

const hostName = (): string => {
  const { process, navigator } = globalThis as {
    process?: { versions?: Record<string, string> };
    navigator?: { userAgent?: string };
  };
  for (const name of ["bun", "deno", "node"]) {
    const version = process?.versions?.[name];
    if (version) return `${name[0]!.toUpperCase()}${name.slice(1)} ${version}`;
  }
  const agent = navigator?.userAgent ?? "";
  const found = BROWSERS.findIndex((pattern) => pattern.test(agent));
  return found < 0 ? "unknown host" : `${BROWSER_NAMES[found]} ${BROWSERS[found]!.exec(agent)![1]}`;
};

/** Where this runs. */
export const probeEngine = (): EngineReport => ({ host: hostName(), x86: hasSimd() && isX86() });

import { afterAll, describe, expect, it } from "vitest";
import { f32, i32, wasmModule } from "../asm/index.ts";
import { createKernels, type Kernels, type Tensor } from "../index.ts";
import { randomFloats } from "../ops/seeded.ts";
import { makeArena } from "./arena.ts";
import { makePool, type Pool } from "./pool.ts";

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const untilReady = async (pool: Pool, width: number) => {
  while (pool.width() < width) await pause(5);
};

const WORKERS = 2;
const memory = new WebAssembly.Memory({ initial: 1, maximum: 64, shared: true });
const arena = makeArena(memory, 64 * 65536);
const pool = makePool(arena, WORKERS);

/** Stores value at address; traps where the value is negative. */
const module = () => {
  const m = wasmModule({ shared: true });
  m.func("run", { at: "i32", value: "i32" }, (f, { at, value }) => {
    f.if(i32.lt_s(value, 0), () => f.do(f32.store(i32.const(-16), 0)));
    f.do(i32.store(at, value));
  });
  const bytes = m.bytes();
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports;
  return { bytes, run: run as (...args: number[]) => void };
};

describe("pool", () => {
  afterAll(() => pool.dispose());

  it("starts workers when first asked, and is one thread wide until they are ready", async () => {
    expect(pool.width()).toBe(1);
    await untilReady(pool, WORKERS + 1);
    expect(pool.width()).toBe(WORKERS + 1);
  });

  it("starts Node's workers also where a library has made a global Worker", async () => {
    const global = globalThis as { Worker?: unknown };
    global.Worker = class {
      constructor() {
        throw new Error("not this one");
      }
    };
    const other = makePool(arena, 1);
    while (other.width() < 2) await pause(5);
    delete global.Worker;
    other.dispose();
  });

  it("runs each part once, the first here, over 300 calls with pauses that let workers sleep", async () => {
    await untilReady(pool, WORKERS + 1);
    const { bytes, run } = module();
    const address = arena.allocate(12);
    const written = new Int32Array(memory.buffer, address, 3);
    for (let i = 0; i < 300; i++) {
      if (i % 100 === 99) await pause(5);
      let here = 0;
      const calls = [0, 1, 2].map((part) => [address + 4 * part, 3 * i + part]);
      pool.run(bytes, calls, (...args) => {
        here++;
        run(...args);
      });
      expect(here).toBe(1);
      expect([...written]).toEqual([3 * i, 3 * i + 1, 3 * i + 2]);
    }
  });

  it("reports a worker that traps with RUNTIME, and goes on working", async () => {
    await untilReady(pool, WORKERS + 1);
    const { bytes, run } = module();
    const address = arena.allocate(8);
    const calls = (second: number) => [
      [address, 1],
      [address + 4, second],
    ];
    expect(() => pool.run(bytes, calls(-1), run)).toThrow(expect.objectContaining({ code: "RUNTIME" }));
    pool.run(bytes, calls(7), run);
    expect([...new Int32Array(memory.buffer, address, 2)]).toEqual([1, 7]);
  });
});

describe("createKernels with threads", () => {
  const random = (dims: number[], seed: number): Tensor<"float32"> => ({
    type: "float32",
    dims,
    data: randomFloats(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
  });
  const A = random([70, 300], 1);
  const B = random([300, 130], 2);
  const image = random([1, 16, 20, 20], 3);
  const kernel = random([24, 16, 3, 3], 4);
  const results = (hw: Kernels) =>
    [
      hw.gemm(A, B),
      hw.gemm(B, A, { transA: true, transB: true }),
      hw.syrk(A),
      hw.conv2d(image, kernel, { padding: 1 }),
      hw.softmax(random([200, 600], 5)),
    ].map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"));

  it("gives the bits that one thread gives, before and after the workers are ready", async () => {
    const prefer = "simd";
    const one = await createKernels({ threads: 1, prefer });
    const three = await createKernels({ threads: 3, prefer });
    const wanted = results(one);
    expect(results(three)).toEqual(wanted);
    while (!three.describe().includes("(2 of 2 workers started)")) await pause(5);
    expect(results(three)).toEqual(wanted);
    three.dispose();
    expect(results(three)).toEqual(wanted);
  });

  it("refuses a number of threads that is none with BAD_OPTION", async () => {
    await expect(createKernels({ threads: 0 })).rejects.toMatchObject({ code: "BAD_OPTION" });
  });
});

import { describe, expect, it } from "vitest";
import { f32, i32, type Module } from "../asm/index.ts";
import { kernelParameters, type Op, row, type Values, type WasmVariant } from "../op.ts";
import { type ProbeReport, probe } from "../probe/probe.ts";
import { makeArena } from "./arena.ts";
import { emit } from "./compile.ts";
import { type PickOptions, pick } from "./pick.ts";

const args = { x: "f32[]", y: "f32[] out", count: "i32" } as const;
const call = (count: number) => ({
  x: Float32Array.from({ length: count }, (_, i) => i - 2),
  y: new Float32Array(count),
  count,
});
const double: Op<typeof args> = {
  name: "double",
  args,
  lengths: ({ count }) => ({ x: count, y: count }),
  tolerance: ({ x }) => ({ y: x.map((value) => Math.abs(value) * 2 ** -23) }),
  cases: function* () {
    yield call(1);
    yield call(9);
  },
  sample: () => call(1000),
};

/** y = factor * x; every element is done `times` times. */
const times =
  (factor: number, repeats = 1) =>
  (m: Module) => {
    m.func("run", kernelParameters(args), (f, { x, y, count }) => {
      const [i, again] = [f.local("i32"), f.local("i32")];
      f.for(i, 0, i32.shl(count, 2), 4, () =>
        f.for(again, 0, repeats, 1, () => f.do(f32.store(i32.add(y, i), f32.mul(f32.load(i32.add(x, i)), factor)))),
      );
    });
  };
const variants = {
  slow: { name: "slow", level: "simd", emit: times(2, 200) },
  fast: { name: "fast", level: "simd", emit: times(2) },
  wrong: { name: "wrong", level: "simd", emit: times(2.001) },
  relaxed: { name: "relaxed", level: "relaxed", emit: times(2) },
  broken: {
    name: "broken",
    level: "simd",
    emit: (m: Module) => {
      m.func("run", kernelParameters(args), (f, { y }) => f.do(f32.store(y, { type: "f32", code: [0x6a] })));
    },
  },
} satisfies Record<string, WasmVariant>;

const report = await probe();
const withRelaxed = (available: boolean): ProbeReport => ({ ...report, relaxed: { available, reason: "as told" } });
const picking = (wasm: WasmVariant[], options: Partial<PickOptions> = {}, op = double, relaxed = true) => {
  const arena = makeArena(new WebAssembly.Memory({ initial: 1 }), 2 ** 20);
  const reference = ({ x, y }: Values<typeof args>) => y.set(x.map((value) => 2 * value));
  const picked = pick(row(op, reference, wasm), arena, withRelaxed(relaxed), { deterministic: false, ...options });
  expect(arena.used()).toBe(0);
  const candidates = Object.fromEntries(picked.choice.candidates.map((one) => [one.variant, one]));
  return { ...picked, candidates };
};
const { slow, fast, wrong, relaxed, broken } = variants;

describe("pick", () => {
  it("chooses the fastest of those that are right, by time on the sample", () => {
    const { choice, candidates } = picking([slow, fast]);
    expect(choice).toMatchObject({ op: "double", variant: "fast", level: "simd", why: "fastest of 2 on the sample" });
    expect(candidates.slow!.state).toBe("slower");
    expect(candidates.slow!.microseconds).toBeGreaterThan(candidates.fast!.microseconds!);
  });

  it("drops a kernel that differs from the reference and says where, and by what", () => {
    const { choice, candidates } = picking([wrong, slow]);
    expect(choice.variant).toBe("slow");
    expect(candidates.wrong!.state).toBe("failed");
    expect(candidates.wrong!.reason).toMatch(
      /^y\[0\] is -4\.00\d*, the reference says -4 with a bound of .* \(count=1\)$/,
    );
  });

  it("drops a kernel that does not compile and says why", () => {
    const { choice, candidates } = picking([broken, fast]);
    expect(choice.variant).toBe("fast");
    expect(candidates.broken).toMatchObject({ state: "failed", reason: expect.stringContaining("CompileError") });
  });

  it("falls back to the reference when no kernel is left, with the reasons", () => {
    const { choice, kernel } = picking([wrong]);
    expect(kernel).toBeUndefined();
    expect(choice).toMatchObject({ variant: "reference", level: "reference", why: "no fast kernel is left" });
  });

  it("leaves out relaxed kernels where the probe found no relaxed SIMD, with its reason", () => {
    const { choice, candidates } = picking([slow, relaxed], {}, double, false);
    expect(choice.variant).toBe("slow");
    expect(candidates.relaxed).toMatchObject({ state: "unavailable", reason: "no relaxed SIMD: as told" });
  });

  it.each([
    ["reference", "reference"],
    ["simd", "slow"],
    [{ double: "slow" }, "slow"],
    [{ double: "simd" }, "slow"],
    [{ double: "reference" }, "reference"],
    [{ other: "reference" }, "relaxed"],
  ])("prefer %j picks %s", (prefer, wanted) => {
    expect(picking([slow, relaxed], { prefer: prefer as PickOptions["prefer"] }).choice.variant).toBe(wanted);
  });

  it("deterministic takes the first plain kernel without measuring, unless the op is exact", () => {
    expect(picking([relaxed, slow, fast], { deterministic: true }).choice).toMatchObject({
      variant: "slow",
      why: "first of the table",
    });
    const exact = { ...double, tolerance: "exact" as const };
    expect(picking([relaxed, slow], { deterministic: true }, exact).choice.variant).toBe("relaxed");
  });

  it("tries spare kernels only where no other is right", () => {
    const spare = { ...fast, spare: true };
    expect(picking([spare, relaxed]).candidates.fast).toMatchObject({ state: "not needed" });
    expect(picking([spare, wrong]).choice.variant).toBe("fast");
    expect(picking([spare, relaxed], {}, double, false).choice.variant).toBe("fast");
  });

  it("takes over a saved choice without measuring, but not one that fails", () => {
    const { choice } = picking([slow, fast], { saved: { double: "slow" } });
    expect(choice).toMatchObject({ variant: "slow", why: "as saved" });
    expect(picking([wrong, fast], { saved: { double: "wrong" } }).choice.variant).toBe("fast");
  });

  it("emits modules for shared memories too", () => {
    expect(WebAssembly.validate(emit(fast, true))).toBe(true);
  });
});
